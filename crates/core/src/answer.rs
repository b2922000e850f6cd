//! Serve, wait or refuse? Given what the node knows, what does this pod's request get?
