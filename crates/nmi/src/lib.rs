//! The node agent: redirect, token server, answers.
