//! Loom aborts a run by a panic of its own, so nothing is caught here.

pub(crate) fn catch<T>(f: impl FnOnce() -> T) -> Result<T, ()> {
    Ok(f())
}

pub(crate) fn drop_caught<T>(value: T) -> Result<(), ()> {
    catch(|| drop(value))
}
