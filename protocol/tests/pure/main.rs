//! What must hold of the pure rules, whoever calls them: encodings, deltas, seals, folds and roots.

#[cfg(test)]
mod ahead;
#[cfg(test)]
mod anything;
#[cfg(test)]
mod attending;
#[cfg(test)]
mod beating;
#[cfg(test)]
mod bounds;
#[cfg(test)]
mod canonical;
#[cfg(test)]
mod clocks;
#[cfg(test)]
mod converging;
#[cfg(test)]
mod crank;
#[cfg(test)]
mod cutting;
#[cfg(test)]
mod dag;
#[cfg(test)]
mod enlisting;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod flat;
#[cfg(test)]
mod folding;
#[cfg(test)]
mod founding;
#[cfg(test)]
mod fuzzing;
#[cfg(test)]
mod gossiping;
#[cfg(test)]
mod governing;
#[cfg(test)]
mod header;
#[cfg(test)]
mod joining;
#[cfg(test)]
mod lives;
#[cfg(test)]
mod make;
#[cfg(test)]
mod merging;
#[cfg(test)]
mod model;
#[cfg(test)]
mod ordering;
#[cfg(test)]
mod planting;
#[cfg(test)]
mod repeating;
#[cfg(test)]
mod roots;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod storing;
#[cfg(test)]
mod syncing;
#[cfg(test)]
mod tables;
#[cfg(test)]
mod tamper;
#[cfg(test)]
mod town;
#[cfg(test)]
mod townsfolk;
#[cfg(test)]
mod writing;
