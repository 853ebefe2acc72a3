//! Pieces of a stream, shared by those who read it, and used again: a fresh piece of this size costs the
//! kernel a page fault every 4 KiB. Each is handed from thread to thread, and who waits for it is woken: in pieces of 256 KiB an
//! image takes a tenth more processor time.

use std::sync::{Arc, Mutex};

const SIZE: usize = 1 << 20;

/// Pieces that nobody uses at the moment.
#[derive(Default)]
pub struct Pool(Mutex<Vec<Vec<u8>>>);

/// A piece of a stream; it goes back to its pool when the last reader is done.
pub struct Chunk {
    bytes: Vec<u8>,
    length: usize,
    home: Arc<Pool>,
}

impl Pool {
    /// A piece, filled by `fill`, which says how much of it there is.
    pub fn chunk<E>(
        self: &Arc<Self>,
        fill: impl FnOnce(&mut [u8]) -> std::result::Result<usize, E>,
    ) -> std::result::Result<Chunk, E> {
        let used = self.0.lock().ok().and_then(|mut pieces| pieces.pop());
        let bytes = used.unwrap_or_else(|| vec![0; SIZE]);
        let mut chunk = Chunk { bytes, length: 0, home: Arc::clone(self) };
        chunk.length = fill(&mut chunk.bytes)?;
        Ok(chunk)
    }
}

impl Chunk {
    /// What it holds.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        if let Ok(mut pieces) = self.home.0.lock() {
            pieces.push(std::mem::take(&mut self.bytes));
        }
    }
}
