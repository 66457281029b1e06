//! Two and three nodes that share a context.

use std::time::Duration;

use crate::house::{House, eventually, share};

const SOON: Duration = Duration::from_secs(20);

#[test]
fn what_one_writes_all_read() {
    let houses = [House::start(1), House::start(2), House::start(3)];
    let context = share(&houses);
    for (at, house) in houses.iter().enumerate() {
        for number in 0..20 {
            house.put(context, &format!("{at}/{number}"), "x").unwrap();
        }
    }
    eventually("equal roots", SOON, || {
        let roots: Vec<_> = houses.iter().map(|house| house.root(context)).collect();
        let counts: Vec<_> = houses
            .iter()
            .map(|house| house.node.look(&context, |look| look.count()).unwrap())
            .collect();
        match roots.windows(2).all(|pair| pair[0] == pair[1]) && counts == [60, 60, 60] {
            true => Ok(()),
            false => Err(format!("{counts:?}")),
        }
    });
}
