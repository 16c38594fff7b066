//! Marks of ticks. Those that wait at the same time are one statement, and so one commit.

use std::collections::VecDeque;
use std::error::Error as StdError;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use taskvisor::fleet::{FencingToken, LeaseError, LeaseKey, SessionId};
use tokio::sync::oneshot::{self, error::TryRecvError};
use tokio::time::sleep;

use crate::schema::Schema;
use crate::store::{PostgresStore, lock};

/// The largest number of marks in one statement. Their rows are locked until it ends.
const MOST: usize = 250;
/// The pause before a mark is asked for again whose row is locked by a transaction that has called `check`.
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) struct Mark {
    pub(crate) key: LeaseKey,
    pub(crate) token: FencingToken,
    pub(crate) tick: u64,
}

/// What became of a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marked {
    Stored,
    Refused,
    /// Its row is locked, so the statement has left it out.
    Locked,
    /// The session is over.
    Expired,
}

impl Marked {
    /// Reads a row of the [statement](statement).
    pub(crate) fn read(is_locked: bool, is_stored: Option<bool>) -> Self {
        match (is_locked, is_stored) {
            (true, _) => Self::Locked,
            (false, Some(true)) => Self::Stored,
            (false, Some(false)) => Self::Refused,
            (false, None) => Self::Expired,
        }
    }
}

/// Returns the statement that stores ticks. It calls a function of version 1 of the tables for each of them.
///
/// A row that another transaction has locked would delay all. So it is left out.
pub(crate) fn statement(schema: &Schema) -> String {
    format!(
        "WITH live AS (SELECT {schema}.live_1($1::uuid, $2) AS fleet), free AS (
            SELECT l.key FROM {schema}.lease l, live WHERE l.fleet = live.fleet AND l.key = ANY ($3)
            FOR NO KEY UPDATE OF l SKIP LOCKED)
        SELECT m.is_locked, CASE WHEN NOT m.is_locked
            THEN {schema}.mark_1($1::uuid, $2, m.key, m.token, m.tick::numeric) END
        FROM (
            SELECT k.*, f.key IS NULL AND EXISTS (
                SELECT FROM {schema}.lease l, live WHERE l.fleet = live.fleet AND l.key = k.key) AS is_locked
            FROM unnest($3, $4, $5) WITH ORDINALITY k (key, token, tick, n) LEFT JOIN free f ON f.key = k.key
        ) m ORDER BY m.n"
    )
}

type Answer = Result<Marked, LeaseError>;

struct Waiting {
    session: SessionId,
    mark: Mark,
    answer: oneshot::Sender<Answer>,
}

/// The marks that wait for a statement. The call whose turn it is runs the statement for itself and for others.
#[derive(Default)]
pub(crate) struct Marks {
    /// A leaf: nothing is awaited or called under it.
    waiting: Mutex<VecDeque<Waiting>>,
    /// Held while a statement runs.
    turn: tokio::sync::Mutex<()>,
}

impl Marks {
    /// Stores a tick. Returns whether it is new.
    pub(crate) async fn mark(
        &self,
        store: &PostgresStore,
        session: SessionId,
        (key, token, tick): (&LeaseKey, FencingToken, u64),
    ) -> Result<bool, LeaseError> {
        loop {
            let (answer, answered) = oneshot::channel();
            let mark = Mark { key: key.clone(), token, tick };
            lock(&self.waiting).push_back(Waiting { session, mark, answer });
            match self.answer(store, answered).await? {
                Marked::Stored => return Ok(true),
                Marked::Refused => return Ok(false),
                Marked::Expired => return Err(LeaseError::Expired),
                Marked::Locked => sleep(PAUSE).await,
            }
        }
    }

    /// Waits until another call has got the answer, or gets it when it is the turn of this call.
    async fn answer(&self, store: &PostgresStore, mut answered: oneshot::Receiver<Answer>) -> Answer {
        let _turn = tokio::select! {
            biased;
            answer = &mut answered => return answer.unwrap_or_else(|_| Err(given_up())),
            turn = self.turn.lock() => turn,
        };
        loop {
            match answered.try_recv() {
                Ok(answer) => return answer,
                Err(TryRecvError::Closed) => return Err(given_up()),
                Err(TryRecvError::Empty) => self.run_first(store).await,
            }
        }
    }

    /// Runs the statement for the marks that have waited longest. If this is dropped, their calls have no answer.
    async fn run_first(&self, store: &PostgresStore) {
        let Some((session, marks, answers)) = self.take() else { return };
        match store.mark_all(session, &marks).await {
            Ok((marked, lost)) => {
                let lost = lost.map(Same::new);
                for (answer, marked) in answers.into_iter().zip(marked) {
                    // The tick may have been stored by the first run.
                    let uncertain = lost.as_ref().filter(|_| marked == Marked::Refused);
                    let _ = answer.send(uncertain.map_or(Ok(marked), |lost| Err(lost.to_error())));
                }
            }
            Err(error) => {
                let error = Same::new(error);
                for answer in answers {
                    let _ = answer.send(Err(error.to_error()));
                }
            }
        }
    }

    /// Takes marks of one session. A mark whose call was dropped is not carried out.
    fn take(&self) -> Option<(SessionId, Vec<Mark>, Vec<oneshot::Sender<Answer>>)> {
        let mut waiting = lock(&self.waiting);
        let (mut session, mut others) = (None, Vec::new());
        let (mut marks, mut answers) = (Vec::new(), Vec::new());
        while marks.len() < MOST {
            let Some(it) = waiting.pop_front() else { break };
            if it.answer.is_closed() {
                continue;
            }
            if *session.get_or_insert(it.session) == it.session {
                marks.push(it.mark);
                answers.push(it.answer);
            } else {
                others.push(it);
            }
        }
        others.into_iter().rev().for_each(|it| waiting.push_front(it));
        Some((session?, marks, answers))
    }
}

fn given_up() -> LeaseError {
    LeaseError::unreachable("the statement that marked several ticks was given up")
}

/// An error of a statement, for each call that it was run for.
enum Same {
    Expired,
    Unreachable(Cause),
    Misconfigured(Cause),
}

impl Same {
    fn new(error: LeaseError) -> Self {
        match error {
            LeaseError::Expired => Self::Expired,
            LeaseError::Unreachable(cause) => Self::Unreachable(Cause(cause.into())),
            LeaseError::Misconfigured(cause) => Self::Misconfigured(Cause(cause.into())),
        }
    }

    fn to_error(&self) -> LeaseError {
        match self {
            Self::Expired => LeaseError::Expired,
            Self::Unreachable(cause) => LeaseError::unreachable(cause.clone()),
            Self::Misconfigured(cause) => LeaseError::misconfigured(cause.clone()),
        }
    }
}

#[derive(Debug, Clone)]
struct Cause(Arc<dyn StdError + Send + Sync>);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for Cause {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}
