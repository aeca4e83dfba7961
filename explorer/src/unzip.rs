//! gzip, of which no more comes than was meant to: a few bytes of it may stand for gigabytes.

use std::io::{self, BufRead, ErrorKind, Read};

use flate2::bufread::MultiGzDecoder;

/// How much may come of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Most {
    /// So many bytes in any case.
    pub(crate) bytes: u64,
    /// And so many for each that it was before.
    pub(crate) each: u64,
}

/// Reads what is gzipped, one member after another. Beyond what may come of it there is an error, of the kind
/// [`ErrorKind::FileTooLarge`], and nothing more is read.
#[derive(Debug)]
pub(crate) struct Unzip<R> {
    gzip: MultiGzDecoder<Counted<R>>,
    most: Most,
    came: u64,
}

impl<R: BufRead> Unzip<R> {
    pub(crate) fn new(input: R, most: Most) -> Self {
        Self { gzip: MultiGzDecoder::new(Counted { input, read: 0 }), most, came: 0 }
    }
}

impl<R: BufRead> Read for Unzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.gzip.read(buffer)?;
        self.came = self.came.saturating_add(read as u64);
        let Most { bytes, each } = self.most;
        if self.came > bytes.saturating_add(each.saturating_mul(self.gzip.get_ref().read)) {
            let times = if each > 0 { format!(", over {each} times its size") } else { String::new() };
            let why = format!("it unzips to more than {} MiB{times}", bytes >> 20);
            return Err(io::Error::new(ErrorKind::FileTooLarge, why));
        }
        Ok(read)
    }
}

/// Counts what is used.
#[derive(Debug)]
struct Counted<R> {
    input: R,
    read: u64,
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.read += read as u64;
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.input.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        self.read += bytes as u64;
        self.input.consume(bytes);
    }
}

/// What tests unzip.
#[cfg(test)]
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut zipped = Vec::new();
    flate2::read::GzEncoder::new(bytes, flate2::Compression::fast()).read_to_end(&mut zipped).unwrap();
    zipped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unzip(bytes: &[u8], most: Most) -> io::Result<Vec<u8>> {
        let mut plain = Vec::new();
        Unzip::new(bytes, most).read_to_end(&mut plain).map(|_| plain)
    }

    #[test]
    fn no_more_comes_than_may() {
        let bomb = gzip(&vec![0; 10_000_000]);
        let small = Most { bytes: 1 << 20, each: 0 };
        assert_eq!(unzip(&bomb, small).unwrap_err().to_string(), "it unzips to more than 1 MiB");
        let error = unzip(&bomb, Most { each: 20, ..small }).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FileTooLarge);
        assert_eq!(error.to_string(), "it unzips to more than 1 MiB, over 20 times its size");
        // Not all of it was unzipped to know that.
        let mut reader = Unzip::new(&*bomb, Most { each: 20, ..small });
        assert!(io::copy(&mut reader, &mut io::sink()).is_err());
        assert!(reader.came < 2_000_000, "{}", reader.came);
        // Each time that it is asked.
        assert!(reader.read(&mut [0; 10]).is_err());
        assert_eq!(unzip(&bomb, Most { each: 2000, ..small }).unwrap().len(), 10_000_000);
    }

    proptest! {
        #[test]
        fn any_members_are_read_one_after_another(members: Vec<Vec<u8>>, rest: Vec<u8>) {
            let zipped: Vec<u8> = members.iter().flat_map(|member| gzip(member)).collect();
            let plain = members.concat();
            let most = Most { bytes: plain.len() as u64, each: 0 };
            if !members.is_empty() {
                prop_assert_eq!(&unzip(&zipped, most).unwrap(), &plain);
            }
            let _ = unzip(&[zipped, rest].concat(), most);
        }
    }
}
