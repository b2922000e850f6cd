//! Which identities does one VM or scale set gain and lose, given all its users and the protected ones?
