//! The coordinator of groups behind a server: requests that wait for other members, and the time.

use std::sync::Arc;

use tokio::sync::{Notify, oneshot, watch};

use super::broker::{Broker, Node};
use super::context::Context;
use super::stop::told_to_stop;
use super::{coordinator_error, executor};
use crate::coordinator::driver::{Alarm, Asked, Coordinator, Waiter};
use crate::coordinator::{GroupError, Response};
use crate::net::ErrorCode;

impl Node {
    /// Asks the coordinator whether something may be done about a group that is appended to `__consumer_offsets`, does
    /// it before anything else can happen to the group, and waits until it is on the device.
    ///
    /// # Errors
    ///
    /// Those of `change`, [`ErrorCode::COORDINATOR_NOT_AVAILABLE`], and what keeps it from the device.
    pub(super) fn change_group<R>(
        &self,
        group: &str,
        change: impl FnOnce(&mut Coordinator, i64) -> Result<R, ErrorCode>,
    ) -> Result<R, ErrorCode> {
        let changed = self.groups.ask(change)??;
        self.store.sync_group(group).map_err(coordinator_error::of)?;
        Ok(changed)
    }
}

/// What a group is that can't be described as one of a type, in the words of Kafka, whose tools show them.
pub(super) fn not_found(group: &str, is_known: bool, group_type: &str) -> String {
    if is_known { format!("Group {group} is not a {group_type} group.") } else { format!("Group {group} not found.") }
}

/// Asks the coordinator: here, and on a thread that may block only if there is something to write or to wait for. Most
/// heartbeats change nothing, and to hand each of them to another thread takes longer than to answer it.
pub(super) async fn ask<R: Send + 'static>(
    broker: &Arc<Broker>,
    ask: impl FnOnce(&mut Coordinator, i64) -> R + Send + 'static,
) -> Result<R, GroupError> {
    match broker.groups.try_ask(ask) {
        Asked::Done(result) => Ok(result),
        Asked::Decided(result) => {
            let broker = broker.clone();
            executor::run(move || broker.groups.get_on()).await.map(|()| result)
        }
        Asked::Busy(ask) => {
            let broker = broker.clone();
            executor::run(move || broker.groups.ask(ask)).await
        }
    }
}

/// Asks the coordinator something that it answers in its own time: at once, or when others have joined, or have not.
/// The result is what waits for that, until the server stops.
pub(super) async fn begin<A: FnOnce(&mut Coordinator, Waiter, i64) + Send + 'static>(
    context: &Context,
    ask: A,
) -> impl Future<Output = Result<Response, GroupError>> + Send + use<A> {
    let (sender, response) = oneshot::channel();
    // Its other end may be gone, which does no harm.
    let waiter = Waiter::new(move |response| drop(sender.send(response)));
    let mut stop = context.stop.clone();
    let asked = self::ask(&context.broker, move |groups, now_ms| ask(groups, waiter, now_ms)).await;
    async move {
        asked?;
        tokio::select! {
            biased;
            response = response => response.map_err(|_| GroupError::NotCoordinator),
            () = told_to_stop(&mut stop) => Err(GroupError::NotCoordinator),
        }
    }
}

/// Lets the coordinator do what is due, when it is, until the server stops.
pub(super) async fn keep_time(node: Arc<Node>, mut stop: watch::Receiver<bool>) {
    let is_due_earlier = Arc::new(Notify::new());
    let notify = is_due_earlier.clone();
    let alarm: Arc<Alarm> = Arc::new(move || notify.notify_one());
    node.groups.add_alarm(Arc::downgrade(&alarm));
    loop {
        let due = node.clone();
        let idle = executor::run(move || due.groups.tick()).await;
        tokio::select! {
            () = tokio::time::sleep(idle) => {}
            () = is_due_earlier.notified() => {}
            () = told_to_stop(&mut stop) => return,
        }
    }
}
