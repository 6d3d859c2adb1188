mod cgroup;
mod children;
mod procfs;
mod reap;
mod signals;
mod spawn;
mod startup;
mod stop;
mod terminal;
pub mod users;

#[cfg(test)]
mod tests;
