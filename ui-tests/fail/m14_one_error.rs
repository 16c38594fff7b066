//! M14: functions that cannot be tasks, each with one error.

use taskvisor::prelude::*;

struct Wrapped(u8);

#[task]
async fn bound(number @ 1..=5: u8) {
    let _ = number;
}

#[task]
async fn of_some(Some(number): Option<u8>) {
    let _ = number;
}

#[task]
async fn of_zero(0: u8, Wrapped(inner): Wrapped) {
    let _ = inner;
}

#[task]
async fn with_default<T = u32, const N: usize = 3>(value: T) {
    let _ = (value, N);
}

#[task]
extern "C" fn foreign() {}

#[task]
const async fn constant() {}

#[task]
async unsafe extern "C" fn of_all() {}

#[task]
async fn twice_a_future() -> impl Future<Output = Result<(), String>> {
    async { Ok(()) }
}

#[task]
async fn boxed(number: u8) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move { drop(number) })
}

#[task]
async fn of_nothing(&self, number: u8) {
    self.work(number).await;
}

#[task]
async fn typed(self: &Self) -> Result<(), String> {
    Self::work(self).await
}

#[subscriber]
async fn hears(self, event: &Event) {
    println!("{event:?}");
}

#[subscriber]
unsafe extern "C" fn heard(event: &Event) {
    println!("{event:?}");
}

fn main() {
    let _ = supervise!(
        subscribers = [hears {}, heard {}],
        tasks = [foreign {}, constant {}, of_all {}, twice_a_future {}, boxed { number: 1 }, typed {}],
    );
}
