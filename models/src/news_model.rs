//! Commands change the cell of an actor. The actor sees every change before it sleeps forever.

use std::mem;

use loom::thread;

use crate::news::News;
use crate::sync::{Arc, Mutex, lock};

const COMMANDS: u32 = 2;

#[derive(Default)]
struct Cell {
    news: News,
    /// The number of commands so far.
    state: Mutex<u32>,
    /// Whether the actor is to be polled after a wake-up.
    scheduled: Mutex<bool>,
}

impl Cell {
    fn wake(&self) {
        *lock(&self.scheduled) = true;
    }

    fn take_scheduled(&self) -> bool {
        mem::take(&mut *lock(&self.scheduled))
    }
}

fn command(cell: &Cell) {
    let mut state = lock(&cell.state);
    *state += 1;
    cell.news.raise();
    drop(state);
    cell.wake();
}

/// Polls once. Returns how many commands the actor has seen.
fn poll(cell: &Cell, seen: u32) -> u32 {
    if !cell.news.is_raised() {
        return seen;
    }
    let state = lock(&cell.state);
    cell.news.take();
    *state
}

fn explore(poll: fn(&Cell, u32) -> u32, command: fn(&Cell)) {
    crate::explore(move || {
        let cell = Arc::new(Cell::default());
        let commanders: Vec<_> = (0..COMMANDS)
            .map(|_| {
                let cell = Arc::clone(&cell);
                thread::spawn(move || command(&cell))
            })
            .collect();
        let mut seen = poll(&cell, 0);
        let mut poll_while_scheduled = || {
            while cell.take_scheduled() {
                seen = poll(&cell, seen);
            }
            seen
        };
        poll_while_scheduled();
        commanders.into_iter().for_each(|commander| commander.join().unwrap());
        assert_eq!(poll_while_scheduled(), COMMANDS, "the actor sleeps, and has not seen all");
    });
}

#[test]
fn every_command_is_seen() {
    explore(poll, command);
}

#[test]
#[should_panic(expected = "the actor sleeps")]
fn a_flag_that_is_taken_down_without_the_lock_is_found() {
    let poll = |cell: &Cell, seen| {
        if !cell.news.is_raised() {
            return seen;
        }
        let seen = *lock(&cell.state);
        cell.news.take();
        seen
    };
    explore(poll, command);
}

#[test]
#[should_panic(expected = "the actor sleeps")]
fn a_wake_up_before_the_change_is_found() {
    let command = |cell: &Cell| {
        cell.wake();
        let mut state = lock(&cell.state);
        *state += 1;
        cell.news.raise();
    };
    explore(poll, command);
}
