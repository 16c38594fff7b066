//! Waits for a few turns of the scheduler, to avoid a timer or a thread.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use tokio::runtime::Handle;

use super::super::observe::Background;
use crate::sync::lock;

/// The number of turns before a stop counts as slow.
pub(in crate::runtime) const TURNS: usize = 32;

/// Polls the future for `turns` turns. Returns `None` if it is not done by then.
///
/// Between two turns, the task is at the end of a queue from which any worker can take it.
pub(in crate::runtime) async fn within<F: Future>(mut turns: usize, mut future: Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        if turns == 0 {
            return Poll::Ready(None);
        }
        turns -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

/// A future that can move to another runtime between two turns.
pub(in crate::runtime) struct Mobile {
    future: Option<Background>,
    route: Route,
}

/// The destination of a [`Mobile`], shared with the future inside it. The lock is a leaf: the handle is put there or
/// taken out under it, so it cannot deadlock.
#[derive(Clone, Default)]
pub(in crate::runtime) struct Route(Arc<Mutex<Option<Handle>>>);

impl Route {
    /// Moves to that runtime. The future inside the [`Mobile`] awaits this, and continues there.
    pub(in crate::runtime) async fn leave_for(&self, runtime: &Handle) {
        let mut left = false;
        poll_fn(|_| {
            if std::mem::replace(&mut left, true) {
                return Poll::Ready(());
            }
            *lock(&self.0) = Some(runtime.clone());
            Poll::Pending
        })
        .await;
    }
}

impl Mobile {
    pub(in crate::runtime) fn new(future: Background, route: Route) -> Self {
        Self { future: Some(future), route }
    }
}

impl Future for Mobile {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(future) = &mut self.future else { return Poll::Ready(()) };
        if future.as_mut().poll(cx).is_ready() {
            self.future = None;
            return Poll::Ready(());
        }
        let next = lock(&self.route.0).take();
        let Some(next) = next else { return Poll::Pending };
        let onward: Background = Box::pin(Self { future: self.future.take(), route: self.route.clone() });
        next.spawn(onward);
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::pin::pin;
    use std::task::Waker;

    use super::*;

    #[test]
    fn it_gives_up_after_so_many_turns() {
        let mut never = pin!(pending::<()>());
        let mut wait = pin!(within(2, never.as_mut()));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(wait.as_mut().poll(&mut cx).is_pending());
        assert!(wait.as_mut().poll(&mut cx).is_pending());
        assert_eq!(wait.as_mut().poll(&mut cx), Poll::Ready(None));
    }

    #[test]
    fn a_future_goes_on_where_it_went() {
        let build = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (here, there) = (build(), build());
        let (to, route) = (there.handle().clone(), Route::default());
        let (sender, receiver) = std::sync::mpsc::channel();
        let inner = route.clone();
        let future: Background = Box::pin(async move {
            sender.send(Handle::current().id()).unwrap();
            inner.leave_for(&to).await;
            sender.send(Handle::current().id()).unwrap();
        });
        here.block_on(Mobile::new(future, route));
        assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [here.handle().id()]);
        there.block_on(tokio::task::yield_now());
        assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [there.handle().id()]);
    }
}
