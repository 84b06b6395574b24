//! Several instances of the program on one database: a change at one of them takes effect at the others from the next
//! request on.

mod people;
mod programs;
