//! What must hold of the pure rules, whoever calls them: encodings, deltas, seals, folds and roots.

#[cfg(test)]
mod canonical;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod folding;
#[cfg(test)]
mod fuzzing;
#[cfg(test)]
mod header;
#[cfg(test)]
mod make;
#[cfg(test)]
mod model;
#[cfg(test)]
mod roots;
#[cfg(test)]
mod tamper;
