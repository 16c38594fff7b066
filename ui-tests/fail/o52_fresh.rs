//! Groups that make their tasks at each start, and what else only groups have.

use taskvisor::prelude::*;

#[task]
async fn ping() {}

async fn make() -> Result<Vec<TaskSpec>, String> {
    Ok(vec![ping::spec()])
}

fn value() -> taskvisor::Group {
    taskvisor::Group::one_for_one("value").fresh(make)
}

fn main() {
    supervise!(
        fresh = make,
        dynamic = drop,
        max_starting = 0,
        tasks = [
            both = group(fresh = make, tasks = [ping {}]),
            quoted = group(fresh = "make"),
            begun = group(fresh = async { Ok(vec![ping::spec()]) }),
            listed = group(fresh = [ping {}]),
            alone = group(start_timeout = "5s", tasks = [ping {}]),
            zero = group(fresh = make, start_timeout = "0s", max_starting = 0),
            word = group(dynamic = "dorp", max_startin = 3, tasks = [ping {}]),
            of_value = group(value(), fresh = make),
            task(ping {}, fresh = make, max_starting = 3, dynamic = "drop"),
        ],
    );
    supervise!(tasks = [typed = group(dynamic = 5, max_starting = "many", tasks = [ping {}])]);
}
