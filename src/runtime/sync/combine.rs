//! Futures that wait for several others.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::runtime::Runtime;

/// Which of two futures was first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Either<A, B> {
    /// The first of the two arguments.
    Left(A),
    /// The second.
    Right(B),
}

impl<A, B> Either<A, B> {
    /// The value if the first argument won.
    pub fn left(self) -> Option<A> {
        match self {
            Either::Left(value) => Some(value),
            Either::Right(_) => None,
        }
    }
}

/// Waits for the first of two futures and drops the other; where both are ready, the first wins.
pub async fn select2<A, B>(
    first: impl Future<Output = A>,
    second: impl Future<Output = B>,
) -> Either<A, B> {
    let mut first = pin!(first);
    let mut second = pin!(second);
    poll_fn(|context| {
        if let Poll::Ready(value) = first.as_mut().poll(context) {
            return Poll::Ready(Either::Left(value));
        }
        second.as_mut().poll(context).map(Either::Right)
    })
    .await
}

/// Waits for `future`, but no longer than `limit`.
pub async fn timeout<T>(
    runtime: &Runtime,
    limit: Duration,
    future: impl Future<Output = T>,
) -> Option<T> {
    select2(future, runtime.sleep(limit)).await.left()
}

/// Waits for all futures, polled together; their results come in their order.
pub async fn join_all<T>(futures: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut waiting: Vec<_> = futures.into_iter().map(|future| Some(Box::pin(future))).collect();
    let mut results: Vec<Option<T>> = waiting.iter().map(|_| None).collect();
    let mut left = waiting.len();
    poll_fn(|context| {
        for (slot, result) in waiting.iter_mut().zip(&mut results) {
            if let Some(future) = slot
                && let Poll::Ready(value) = future.as_mut().poll(context)
            {
                *result = Some(value);
                *slot = None;
                left -= 1;
            }
        }
        if left == 0 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    results.into_iter().flatten().collect()
}

/// Polls once, without a task to wake: the value if it is ready now.
pub fn poll_now<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    match Pin::new(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::oneshot;
    use super::*;

    #[test]
    fn the_first_of_two_wins_and_all_are_joined() {
        let (left, left_value) = oneshot::channel();
        let (right, right_value) = oneshot::channel::<u8>();
        let mut race = Box::pin(select2(left_value, right_value));
        assert!(poll_now(&mut race).is_none());
        assert_eq!(left.send(1), Ok(()));
        assert_eq!(poll_now(&mut race), Some(Either::Left(Some(1))));
        assert!(right.is_abandoned() || right.send(2).is_err());

        let (senders, receivers): (Vec<_>, Vec<_>) = (0..3).map(|_| oneshot::channel()).unzip();
        let mut joined = Box::pin(join_all(receivers));
        for (index, sender) in senders.into_iter().enumerate().rev() {
            assert!(poll_now(&mut joined).is_none());
            assert_eq!(sender.send(index), Ok(()));
        }
        assert_eq!(poll_now(&mut joined), Some(vec![Some(0), Some(1), Some(2)]));
    }
}
