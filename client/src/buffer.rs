//! Memory for a tensor's payload, at a place in its page where the kernel copies well.

const PAGE: usize = 4096;

/// Where in its page a buffer starts. Measured: 16, the default of glibc for large blocks, makes a TCP GET of 256 KiB take
/// 2.2 times as long as 0 does; 0 costs 1.25 times at 64 KiB over a UNIX socket; 1024 to 2048 are good on both.
const OFFSET_IN_PAGE: usize = 1536;

/// A payload of fixed length.
pub struct Buffer {
    memory: Vec<u8>,
    start: usize,
    length: usize,
    /// Length in whole blocks, for what moves nothing else.
    in_blocks: usize,
}

impl Buffer {
    /// `length` bytes, all written once so that no page fault falls into a measurement.
    pub fn new(length: usize) -> Buffer {
        Buffer::at(OFFSET_IN_PAGE, length, length)
    }

    /// The same at the beginning of a page, with room up to the next multiple of `block`, a power of two: direct input and output ask
    /// for both.
    pub fn of_blocks(length: usize, block: usize) -> Buffer {
        Buffer::at(0, length, length.next_multiple_of(block))
    }

    fn at(offset_in_page: usize, length: usize, in_blocks: usize) -> Buffer {
        // 0xA5 and not 0: zeroed memory would come from the kernel untouched
        let memory = vec![0xA5; in_blocks + 2 * PAGE];
        let in_page = memory.as_ptr().addr() % PAGE;
        let start = (offset_in_page + PAGE - in_page) % PAGE;
        Buffer { memory, start, length, in_blocks }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.length]
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.length]
    }

    /// The payload and what fills its last block.
    pub fn blocks(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.in_blocks]
    }

    pub fn blocks_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.in_blocks]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_buffer_has_its_length_and_place() {
        for length in [4, 1024, 65536, 1 << 20] {
            let mut buffer = Buffer::new(length);
            assert_eq!(buffer.bytes().len(), length);
            assert_eq!(buffer.bytes_mut().as_ptr().addr() % PAGE, OFFSET_IN_PAGE);
            let mut blocks = Buffer::of_blocks(length, 4096);
            assert_eq!((blocks.bytes().len(), blocks.blocks().len() % 4096), (length, 0));
            assert_eq!(blocks.blocks_mut().as_ptr().addr() % PAGE, 0);
        }
    }
}
