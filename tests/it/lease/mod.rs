//! Several instances of the program over one database: a change made at one of them holds at the others from the next
//! request on.

mod people;
mod programs;
