//! Questions about many groups in one request, a few at a time.
//!
//! Each question takes memory while it waits and a turn of the shard that it goes to; a client may
//! put a million into one request, and others share both.

use std::rc::Rc;

use crate::runtime::sync::join_all;
use crate::shard::Shard;

/// Questions of one request that are under way together.
const ASKED_AT_ONCE_MAX: usize = 256;

/// Asks about each of `wanted` by `ask`, and gives the answers in that order. The first questions are
/// asked before this returns, so that a usual request keeps its place among those of its connection.
pub fn ask_each<T: 'static, F: Future + 'static>(
    shard: &Rc<Shard>,
    wanted: Vec<T>,
    ask: impl Fn(T) -> F + 'static,
) -> impl Future<Output = Vec<F::Output>> + 'static {
    let runtime = shard.runtime().clone();
    let mut wanted = wanted.into_iter();
    let mut asked: Vec<F> = wanted.by_ref().take(ASKED_AT_ONCE_MAX).map(&ask).collect();
    async move {
        let mut answers = Vec::with_capacity(asked.len() + wanted.len());
        loop {
            answers.extend(join_all(asked).await);
            if wanted.len() == 0 {
                return answers;
            }
            runtime.yield_now().await;
            asked = wanted.by_ref().take(ASKED_AT_ONCE_MAX).map(&ask).collect();
        }
    }
}
