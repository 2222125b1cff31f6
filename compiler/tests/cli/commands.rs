//! What the command does when all is well.
