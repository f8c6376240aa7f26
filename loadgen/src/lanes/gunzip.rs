//! The gzip coding of an HTTP body (RFC 1952), taken off incrementally and without I/O.
//!
//! What comes out lies in one buffer a thread and is handed on piece by piece, so a small input that
//! unpacks to gigabytes takes time and no memory. The window of the stream (32 KiB) is the
//! connection's own, and is what compression costs a client in memory.

use std::cell::RefCell;

use flate2::{Decompress, FlushDecompress, Status};

use super::READ_BUFFER;
use crate::failure::Failure;

/// Base-2 logarithm of the largest window a server may use.
const WINDOW_BITS: u8 = 15;

thread_local! {
    static PLAIN: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BUFFER].into());
}

/// The decoder's state between reads.
#[derive(Debug)]
pub struct Gunzip {
    inflate: Decompress,
    coded: u64,
    over: bool,
    exact: bool,
}

impl Default for Gunzip {
    fn default() -> Self {
        Self { inflate: Decompress::new_gzip(WINDOW_BITS), coded: 0, over: false, exact: false }
    }
}

impl Gunzip {
    /// From now on inflates byte by byte, so that every piece's place is exactly known. It costs a
    /// call a byte, so only connections whose places are asked for do it.
    pub const fn pinpoint(&mut self) {
        self.exact = true;
    }

    /// Takes compressed bytes; `take` gets each piece of what they hold, and the index behind the
    /// byte that completed it: exactly, or at the end of `input`.
    ///
    /// # Errors
    /// Those of `take`; the bytes are no gzip stream, or something follows its end.
    pub fn feed(
        &mut self,
        input: &[u8],
        mut take: impl FnMut(&[u8], usize) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let step = if self.exact { 1 } else { input.len().max(1) };
        PLAIN.with_borrow_mut(|plain| {
            let mut end = 0;
            input.chunks(step).try_for_each(|coded| {
                end += coded.len();
                self.coded += coded.len() as u64;
                self.inflate(coded, plain, &mut |piece| take(piece, end))
            })
        })
    }

    fn inflate(
        &mut self,
        mut coded: &[u8],
        plain: &mut [u8],
        take: &mut impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        loop {
            if self.over {
                let behind = "gzip: something follows the end of the stream";
                return if coded.is_empty() { Ok(()) } else { Err(Failure::Protocol(behind.into())) };
            }
            let (before, out) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self.inflate.decompress(coded, plain, FlushDecompress::Sync);
            let status = status.map_err(|err| Failure::Protocol(format!("gzip: {err}")))?;
            let fits = "no more than there was room for";
            coded = &coded[usize::try_from(self.inflate.total_in() - before).expect(fits)..];
            let length = usize::try_from(self.inflate.total_out() - out).expect(fits);
            self.over = status == Status::StreamEnd;
            if length > 0 {
                take(&plain[..length])?;
            }
            if !self.over && length < plain.len() {
                return Ok(());
            }
        }
    }

    /// Whether the stream has ended, its check sum right.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// Compressed bytes taken.
    #[must_use]
    pub const fn coded(&self) -> u64 {
        self.coded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compress, Compression, FlushCompress};

    fn coded(pieces: &[&[u8]], last: FlushCompress) -> Vec<u8> {
        let mut compress = Compress::new_gzip(Compression::new(6), 15);
        let mut out = Vec::with_capacity(1 << 20);
        for piece in pieces {
            compress.compress_vec(piece, &mut out, FlushCompress::Sync).unwrap();
        }
        compress.compress_vec(&[], &mut out, last).unwrap();
        out
    }

    fn plain(gunzip: &mut Gunzip, wire: &[u8], split: usize) -> Result<(Vec<u8>, Vec<usize>), Failure> {
        let (mut all, mut ends) = (Vec::new(), Vec::new());
        for (index, read) in wire.chunks(split).enumerate() {
            gunzip.feed(read, |piece, end| {
                all.extend_from_slice(piece);
                ends.push(index * split + end);
                Ok(())
            })?;
        }
        Ok((all, ends))
    }

    #[test]
    fn every_split_gives_the_same_and_pinpointed_ones_the_same_places() {
        let wire = coded(&[b"data: one\n\n", b"data: two\n\n"], FlushCompress::Finish);
        let places: Vec<Vec<usize>> = (1..=wire.len())
            .map(|split| {
                let mut gunzip = Gunzip::default();
                let (all, _) = plain(&mut gunzip, &wire, split).unwrap();
                assert_eq!(all, b"data: one\n\ndata: two\n\n");
                assert_eq!((gunzip.is_over(), gunzip.coded()), (true, wire.len() as u64));
                let mut gunzip = Gunzip::default();
                gunzip.pinpoint();
                plain(&mut gunzip, &wire, split).unwrap().1
            })
            .collect();
        assert!(places.iter().all(|one| *one == places[0]));
    }

    /// RFC 1952 2.3.1: "CRC32 (CRC-32): This contains a Cyclic Redundancy Check value of the
    /// uncompressed data"; "ISIZE: [...] the size of the original (uncompressed) input data modulo
    /// 2^32"; "ID1 = 31 (0x1f, \037), ID2 = 139 (0x8b, \213)".
    #[test]
    fn what_is_no_gzip_stream_is_a_failure() {
        let whole = coded(&[b"data: one\n\n"], FlushCompress::Finish);
        let changed = |at: usize| {
            let mut wire = whole.clone();
            wire[at] ^= 1;
            wire
        };
        let behind = [whole.as_slice(), b"x"].concat();
        let length = whole.len();
        for wire in
            [changed(0), changed(1), changed(length - 8), changed(length - 1), behind, b"data: a".to_vec()]
        {
            for split in [1, 3, wire.len()] {
                let failure = plain(&mut Gunzip::default(), &wire, split).unwrap_err();
                assert!(failure.to_string().contains("gzip: "), "{failure}");
            }
        }
        let mut gunzip = Gunzip::default();
        plain(&mut gunzip, &whole[..length - 1], 5).unwrap();
        assert!(!gunzip.is_over());
    }

    /// 64 MiB of zeros in 64 KiB: handed on in pieces, never held.
    #[test]
    fn a_bomb_takes_no_memory() {
        let mut compress = Compress::new_gzip(Compression::new(9), 15);
        let mut wire = Vec::with_capacity(1 << 20);
        for _ in 0..64 {
            compress.compress_vec(&[0; 1 << 20], &mut wire, FlushCompress::None).unwrap();
        }
        compress.compress_vec(&[], &mut wire, FlushCompress::Finish).unwrap();
        let (mut gunzip, mut largest, mut all) = (Gunzip::default(), 0, 0);
        gunzip
            .feed(&wire, |piece, _| {
                (largest, all) = (largest.max(piece.len()), all + piece.len());
                Ok(())
            })
            .unwrap();
        assert_eq!((largest, all), (READ_BUFFER, 64 << 20));
    }
}
