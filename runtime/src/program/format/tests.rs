use expect_test::{Expect, expect};

use super::*;
use crate::program::sample;

fn bytes_of(program: &Program, weights: Weights<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(program, &mut bytes, weights).unwrap();
    bytes
}

fn nowhere(_: &WeightsFile) -> io::Result<Data> {
    Err(io::Error::other("there is nothing"))
}

fn refused(expected: Expect, damage: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = bytes_of(&sample::two_sections(), Weights::Embedded);
    damage(&mut bytes);
    expected.assert_eq(&read(&bytes, nowhere).unwrap_err().to_string());
}

/// Offset of an entry's field.
fn entry(part: usize, field: usize) -> usize {
    FIXED + part * ENTRY + field
}

fn set(bytes: &mut [u8], at: usize, value: u64, size: usize) {
    bytes[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]);
    repair_checksums(bytes);
}

#[test]
fn programs_come_back() {
    for program in [
        sample::two_sections(),
        sample::every_instruction(),
        sample::whole_axes(),
        sample::adjoints(),
        sample::dropped(),
        sample::weight_gradients([8, 32], true),
        sample::sums([8, 8], true),
    ] {
        let bytes = bytes_of(&program, Weights::Embedded);
        assert_eq!(read(&bytes, nowhere).unwrap(), program);

        let bytes = bytes_of(&program, Weights::File("weights.bin"));
        let data = program.data.clone();
        let resolve = |file: &WeightsFile| {
            assert_eq!(file.name, "weights.bin");
            Ok(data)
        };
        assert_eq!(read(&bytes, resolve).unwrap(), program);
    }
}

#[test]
fn programs_come_back_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let program = sample::two_sections();
    let path = folder.path().join("p.zlp");
    std::fs::write(&path, bytes_of(&program, Weights::Embedded)).unwrap();
    let read = open(&path).unwrap();
    assert_eq!(read, program);
    assert_eq!(read.data.bytes().as_ptr() as usize % 64, 0);

    std::fs::write(&path, bytes_of(&program, Weights::File("w.bin"))).unwrap();
    let error = open(&path).unwrap_err().to_string();
    assert!(error.starts_with("the weights file `w.bin` cannot be read: "), "{error}");
    std::fs::write(folder.path().join("w.bin"), program.data.bytes()).unwrap();
    assert_eq!(open(&path).unwrap(), program);
    std::fs::write(folder.path().join("w.bin"), [0; 2240]).unwrap();
    expect![
        "the weights file `w.bin` is not the one that the program was compiled with: its checksum is another"
    ]
    .assert_eq(&open(&path).unwrap_err().to_string());
    std::fs::write(folder.path().join("w.bin"), [0; 3]).unwrap();
    expect![
        "the weights file `w.bin` is not the one that the program was compiled with: it has 3 bytes, not 2240"
    ]
    .assert_eq(&open(&path).unwrap_err().to_string());
}

#[test]
fn weights_stay_in_their_folder() {
    let program = sample::two_sections();
    for name in ["", "..", "../w", "/w", "a/b", "a\\b", "./w", "w/"] {
        let error = write(&program, &mut Vec::new(), Weights::File(name)).unwrap_err();
        assert!(matches!(error, FormatError::WeightsName(_)), "{name}: {error}");
    }
    let mut bytes = bytes_of(&program, Weights::File("abcd"));
    let at = bytes.windows(4).position(|w| w == b"abcd").unwrap();
    bytes[at..at + 4].copy_from_slice(b"/etc");
    repair_checksums(&mut bytes);
    let error = read(&bytes, |_| panic!("asked for it")).unwrap_err();
    assert!(matches!(error, FormatError::WeightsName(_)), "{error}");
}

#[test]
fn headers() {
    refused(expect!["this is not a program file"], |b| b[0] = b'z');
    refused(expect!["this is not a program file"], Vec::clear);
    refused(expect!["the file is cut short: 16 bytes are wanted, there are 15"], |b| b.truncate(15));
    refused(expect!["the file is cut short: 68 bytes are wanted, there are 30"], |b| b.truncate(30));
    refused(expect!["the program is in version 3 of the format; this reader knows version 2"], |b| {
        set(b, 8, 3, 4)
    });
    refused(expect!["the file is cut short: 103079215100 bytes are wanted, there are 2880"], |b| {
        set(b, 12, u64::from(u32::MAX), 4)
    });
    refused(expect!["the checksum of the header is wrong"], |b| b[20] ^= 1);
}

#[test]
fn parts() {
    refused(expect!["the file has a part of the unknown kind 4"], |b| set(b, entry(0, 0), 4, 4));
    refused(expect!["the file has more than one structure part, or weights both in it and beside it"], |b| {
        set(b, entry(1, 0), 1, 4)
    });
    refused(expect!["the file has more than one weights part, or weights both in it and beside it"], |b| {
        set(b, entry(0, 0), 3, 4)
    });
    refused(expect!["the weights part is at 128 + 2240; it should begin at 640"], |b| {
        set(b, entry(1, 8), 128, 8)
    });
    refused(expect!["the weights part is at 18446744073709551552 + 2240; it should begin at 640"], |b| {
        set(b, entry(1, 8), u64::MAX - 63, 8)
    });
    refused(expect!["the weights part is at 640 + 18446744073709551615; it should begin at 640"], |b| {
        set(b, entry(1, 16), u64::MAX, 8)
    });
    refused(expect!["the file is cut short: 1099511628416 bytes are wanted, there are 2880"], |b| {
        set(b, entry(1, 16), 1 << 40, 8)
    });
    refused(expect!["2236 bytes follow the last part"], |b| set(b, entry(1, 16), 4, 8));
    refused(expect!["1 bytes follow the last part"], |b| b.push(0));
    refused(expect!["the file is cut short: 2880 bytes are wanted, there are 2879"], |b| {
        b.truncate(b.len() - 1)
    });
    refused(expect!["the bytes before the structure part are not all 0"], |b| b[127] = 1);
    refused(expect!["the checksum of the structure part is wrong"], |b| b[130] ^= 1);
    refused(expect!["the checksum of the weights part is wrong"], |b| {
        let last = b.len() - 1;
        b[last] ^= 1;
    });
}

#[test]
fn structures() {
    let program = sample::two_sections();
    let mut structure = encode(&program).unwrap();
    let with = |structure: &[u8]| {
        let mut bytes = Vec::new();
        write_parts(&mut bytes, &[(PartKind::Structure, structure), (PartKind::Weights, &[])]).unwrap();
        read(&bytes, nowhere).unwrap_err().to_string()
    };
    expect!["the structure part does not decode: Hit the end of buffer, expected more data"]
        .assert_eq(&with(&structure[..structure.len() - 1]));
    structure.push(0);
    expect!["the structure part does not decode: 1 bytes are left over"].assert_eq(&with(&structure));
    let mut bytes = Vec::new();
    write_parts(&mut bytes, &[(PartKind::Weights, &[])]).unwrap();
    expect!["the file has no structure part"].assert_eq(&read(&bytes, nowhere).unwrap_err().to_string());
    bytes.clear();
    write_parts(&mut bytes, &[(PartKind::Structure, &structure[..structure.len() - 1])]).unwrap();
    expect!["the file has no weights part"].assert_eq(&read(&bytes, nowhere).unwrap_err().to_string());
}

/// Lists that claim to be long do not get memory for it.
#[test]
fn claimed_lengths_cost_nothing() {
    // Name, numerics, machine, graph, sizes, then 2⁶⁰ tensors.
    let mut program = sample::two_sections();
    program.tensors.clear();
    let structure = encode(&program).unwrap();
    let at = structure.windows(3).position(|w| w[0] == 0 && w[1] == 2).unwrap();
    let mut bytes = structure[..at].to_vec();
    bytes.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]);
    bytes.extend(&structure[at + 1..]);
    assert!(matches!(decode::<Program>(PartKind::Structure, &bytes), Err(FormatError::Decode { .. })));
}
