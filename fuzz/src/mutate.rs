//! What is made of an input to get another one?

/// Words that mean something to some reader of requests.
const WORDS: &[&[u8]] = &[
    b"Metadata: true\r\n",
    b"metadata:true\r\n",
    b"Metadata : true\r\n",
    b"X-Forwarded-For: 10.0.0.1\r\n",
    b"Content-Length: 0\r\n",
    b"Content-Length: 40\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: identity, chunked\r\n",
    b"0\r\n\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive, Metadata\r\n",
    b"Connection: Upgrade\r\nUpgrade: h2c\r\n",
    b"Expect: 100-continue\r\n",
    b"Host: 169.254.169.254\r\n",
    b"podns: shop\r\npodname: web\r\n",
    b"HTTP/1.0",
    b"HTTP/1.1",
    b"HTTP/2.0",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"HEAD ",
    b"POST ",
    b"CONNECT ",
    b"GET ",
    b"http://169.254.169.254",
    b"http://169.254.169.254@other",
    b"/metadata/identity/oauth2/token",
    b"/metadata/identity/issuecredential",
    b"/metadata/instance",
    b"/metadata/versions",
    b"/metadata/v2/identity",
    b"/host/token/",
    b"/..",
    b"/.",
    b"//",
    b"%2e%2e/",
    b"%2F",
    b"%252F",
    b"%5c",
    b"%00",
    b"\\",
    b";a=b",
    b"#",
    b"?",
    b"&",
    b"resource=https%3A%2F%2Fvault.azure.net",
    b"&resource=",
    b"&client_id=",
    b"&msi_res_id=",
    b"&mi_res_id=",
    b"&object_id=",
    b"\r\n\r\n",
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n ",
    b"\t",
    b"\0",
    b"\xc3\xa9",
    b"\xff",
    b"\xe2\x80\xa8",
];

/// Bytes at which readers begin to disagree.
pub const EDGES: &[u8] = b"\0\x01\t\n\r \"#%&+,-./0:;<=?@AZ\\az{\x7f\x80\xc0\xe9\xff";

/// No input grows beyond this, in bytes; it is more than the server reads.
const LONGEST: usize = 40 * 1024;

/// A source of choices that are the same for the same seed (splitmix64).
#[derive(Clone, Debug)]
pub struct Dice(u64);

// === impl Dice ===

impl Dice {
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 where there is none.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % end).unwrap_or_default()
    }

    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.below(of.len()))
    }

    fn range(&mut self, of: &[u8]) -> std::ops::Range<usize> {
        let start = self.below(of.len() + 1);
        start..start + self.below((of.len() - start).min(32) + 1)
    }
}

/// Another input, made of one or two of `pool`.
pub fn mutate(pool: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut input = dice.pick(pool).cloned().unwrap_or_default();
    for _ in 0..=dice.below(4) {
        step(&mut input, pool, dice);
    }
    input.truncate(LONGEST);
    input
}

/// Every input that differs from `input` in one byte which is now one of `values`.
pub fn each_byte<'a>(input: &'a [u8], values: &'a [u8]) -> impl Iterator<Item = Vec<u8>> + use<'a> {
    (0..input.len()).flat_map(move |at| {
        values.iter().filter(move |value| input[at] != **value).map(move |value| {
            let mut changed = input.to_vec();
            changed[at] = *value;
            changed
        })
    })
}

fn step(input: &mut Vec<u8>, pool: &[Vec<u8>], dice: &mut Dice) {
    let at = dice.below(input.len() + 1);
    match dice.below(12) {
        0 => change(input, at, |byte| byte ^ 0x20),
        1 => {
            let edge = *dice.pick(EDGES).unwrap_or(&0);
            change(input, at, |_| edge);
        }
        2 => {
            let bit = 1 << dice.below(8);
            change(input, at, |byte| byte ^ bit);
        }
        3 | 4 => insert(input, at, dice.pick(WORDS).copied().unwrap_or_default()),
        5 => {
            let range = dice.range(input);
            input.drain(range);
        }
        6 => {
            let range = dice.range(input);
            let again = input[range].to_vec();
            insert(input, at, &again);
        }
        7 => encode(input, at),
        8 => lines(input, dice),
        9 => {
            let other = dice.pick(pool).cloned().unwrap_or_default();
            let from = if dice.below(2) == 0 { 0 } else { dice.below(other.len()) };
            input.truncate(if dice.below(2) == 0 { input.len() } else { at });
            input.extend_from_slice(&other[from..]);
        }
        10 => {
            let byte = *dice.pick(EDGES).unwrap_or(&0);
            let many = [8, 64, 1024, 20_000][dice.below(4)];
            insert(input, at, &vec![byte; many]);
        }
        _ => input.truncate(at),
    }
}

fn change(input: &mut [u8], at: usize, to: impl Fn(u8) -> u8) {
    if let Some(byte) = input.get_mut(at) {
        *byte = to(*byte);
    }
}

fn insert(input: &mut Vec<u8>, at: usize, what: &[u8]) {
    input.splice(at..at, what.iter().copied());
}

/// Writes a byte as percent and two digits, as a disguise of it.
fn encode(input: &mut Vec<u8>, at: usize) {
    if let Some(byte) = input.get(at).copied() {
        input.splice(at..=at, format!("%{byte:02x}").into_bytes());
    }
}

/// Doubles, drops or exchanges lines.
fn lines(input: &mut Vec<u8>, dice: &mut Dice) {
    let mut lines: Vec<_> = input.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    if lines.is_empty() {
        return;
    }
    let (one, other) = (dice.below(lines.len()), dice.below(lines.len()));
    match dice.below(3) {
        0 => lines.insert(other, lines[one].clone()),
        1 => drop(lines.remove(one)),
        _ => lines.swap(one, other),
    }
    *input = lines.concat();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_inputs() {
        let pool = [b"GET / HTTP/1.1\r\n\r\n".to_vec(), b"x".to_vec()];
        let make = |seed| {
            let mut dice = Dice::new(seed);
            (0..500).map(|_| mutate(&pool, &mut dice)).collect::<Vec<_>>()
        };
        assert_eq!(make(7), make(7));
        assert_ne!(make(7), make(8));
    }

    #[test]
    fn nothing_panics_and_nothing_grows_without_end_even_from_nothing() {
        let mut dice = Dice::new(1);
        for pool in [vec![], vec![vec![]], vec![vec![b'x'; LONGEST]]] {
            assert!((0..2_000).all(|_| mutate(&pool, &mut dice).len() <= LONGEST));
        }
    }

    #[test]
    fn each_byte_is_changed_to_each_value_once() {
        let all: Vec<_> = each_byte(b"ab", b"abc").collect();
        assert_eq!(all, [b"bb", b"cb", b"aa", b"ac"]);
    }
}
