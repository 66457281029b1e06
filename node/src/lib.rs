//! The running node: arbiters, actors, the warden and the wiring between them.
//!
//! The hard logic lives in `mangrove-protocol` as machines; here an actor on its arbiter drives
//! each one, carries out its effects in the order disk, mesh, ears, and posts completions back on
//! the lane of the event that caused them. The warden starts everything in order, restarts what may
//! be restarted, and stops everything in stages.
//!
//! It will never decide what a delta means, never queue without a bound, and never let one actor
//! wait for another's queue while holding its own turn.
