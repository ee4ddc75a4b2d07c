//! Many futures awaited at once, of which only those are polled that have been woken.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use parking_lot::Mutex;

/// A future that is polled only after it was woken: whoever waits for many, and is woken by one, pays for that one.
pub(super) struct WhenWoken<T> {
    future: Pin<Box<dyn Future<Output = T> + Send>>,
    signal: Arc<Signal>,
}

struct Signal {
    is_woken: AtomicBool,
    /// Who waits for all of them.
    waiting: Mutex<Waker>,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_woken.store(true, Ordering::Release);
        self.waiting.lock().wake_by_ref();
    }
}

impl<T> WhenWoken<T> {
    pub(super) fn new(future: impl Future<Output = T> + Send + 'static) -> Self {
        let signal = Signal { is_woken: AtomicBool::new(true), waiting: Mutex::new(Waker::noop().clone()) };
        Self { future: Box::pin(future), signal: Arc::new(signal) }
    }
}

impl<T> Future for WhenWoken<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        // Before the look, so that a waker that comes after it knows whom to wake.
        self.signal.waiting.lock().clone_from(context.waker());
        if !self.signal.is_woken.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        let waker = Waker::from(self.signal.clone());
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

/// Awaits all of them, and returns what each came to.
pub(super) async fn all<T>(futures: Vec<impl Future<Output = T> + Send + 'static>) -> Vec<T> {
    let mut running: Vec<_> = futures.into_iter().map(|future| (WhenWoken::new(future), None)).collect();
    std::future::poll_fn(|context| {
        let mut is_done = true;
        for (future, result) in running.iter_mut().filter(|(_, result)| result.is_none()) {
            match Pin::new(future).poll(context) {
                Poll::Ready(output) => *result = Some(output),
                Poll::Pending => is_done = false,
            }
        }
        if is_done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    running.into_iter().filter_map(|(_, result)| result).collect()
}

/// Awaits it, if there is one.
pub(super) async fn or_never<F: Future>(future: Option<&mut Pin<Box<F>>>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}
