//! The simulator put to work, and put to the test.

#[cfg(test)]
mod bugs;
#[cfg(test)]
mod seeds;
