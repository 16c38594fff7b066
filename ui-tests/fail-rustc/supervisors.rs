//! Wrong bodies and uses of `#[supervisor]`.

use taskvisor::{supervisor, task};

#[task]
async fn ping() {}

#[supervisor]
fn not_imported() -> NotImported {
    supervise!(tasks = [ping {}])
}

#[supervisor]
fn misspelt() -> Misspelt {
    taskvisr::supervise!(tasks = [ping {}])
}

mod trees {
    use super::ping;
    use taskvisor::{supervise, supervisor};

    #[supervisor]
    pub(crate) fn app() -> App {
        supervise!(tasks = [ping {}, store = group(tasks = [ping {}])])
    }

    #[supervisor]
    fn hidden() -> Hidden {
        supervise!()
    }
}

fn main() {
    let app: trees::App = trees::app();
    let _ = &app.tasks.pin;
    let _ = &app.groups.store.tasks.pong;
    let _: trees::Hidden;
}
