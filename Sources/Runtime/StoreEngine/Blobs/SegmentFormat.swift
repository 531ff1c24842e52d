internal import MailStore

/// Where a blob's record begins, and how many octets the blob has.
struct BlobLocation: Sendable, Hashable {
    var segment: Int64
    /// Offset of the record's header in the segment file.
    var place: Int64
    var length: Int

    init(segment: Int64, place: Int64, length: Int) {
        self.segment = segment
        self.place = place
        self.length = length
    }

    /// From a row, which a damaged disk may have changed: nil for what no blob can have.
    init?(segment: Int64, place: Int64, length: Int64) {
        guard segment >= 0, place >= 0, place <= .max / 2, (0...BlobLocation.maximumLength).contains(length) else {
            return nil
        }
        self.init(segment: segment, place: place, length: Int(length))
    }

    /// Octets of the longest blob: above every limit that the configuration allows for a message.
    private static let maximumLength: Int64 = 1 << 32
}

/// A blob's record in a segment file:
/// ```
/// 0   "MBL1"                       48  number of chunks (u32)
/// 4   format, 1 (u32)              52  CRC-32C of the table (u32)
/// 8   length of the blob (u64)     56  CRC-32C of octets 0 to 55 (u32)
/// 16  SHA-256 of the blob (32)     60  zero (u32)
/// 64  table: CRC-32C of each chunk of 64 KiB (u32 each), then the blob, then zeros up to a multiple of 8
/// ```
/// All integers are little-endian. The table makes it possible to verify a part without reading the whole.
enum SegmentFormat {
    static let headerSize = 64
    static let chunkSize = 65_536
    private static let magic: UInt32 = 0x314C_424D
    private static let format: UInt32 = 1

    static func chunks(of length: Int) -> Int { (length + chunkSize - 1) / chunkSize }
    /// Octets of header and table.
    static func prefaceSize(of length: Int) -> Int { headerSize + 4 * chunks(of: length) }
    /// Octets of the whole record.
    static func recordSize(of length: Int) -> Int { (prefaceSize(of: length) + length + 7) / 8 * 8 }

    /// Header and table.
    static func preface(blob: BlobID, length: Int, checksums: [UInt32]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(headerSize + checksums.count * 4)
        bytes.append(integer: magic)
        bytes.append(integer: format)
        bytes.append(integer: UInt64(length))
        bytes.append(contentsOf: blob.bytes)
        bytes.append(integer: UInt32(checksums.count))
        var table: [UInt8] = []
        for checksum in checksums { table.append(integer: checksum) }
        bytes.append(integer: table.withUnsafeBytes { CRC32C.checksum($0) })
        bytes.append(integer: bytes.withUnsafeBytes { CRC32C.checksum($0) })
        bytes.append(integer: UInt32(0))
        bytes.append(contentsOf: table)
        return bytes
    }

    /// Checks header and table of a blob that is expected to have `length` octets. Returns the checksums of the chunks;
    /// nil when anything is wrong.
    static func checksums(preface: UnsafeRawBufferPointer, blob: BlobID, length: Int) -> [UInt32]? {
        guard preface.count >= prefaceSize(of: length) else { return nil }
        func word(_ offset: Int) -> UInt32 {
            UInt32(littleEndian: preface.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
        }
        guard word(0) == magic, word(4) == format,
            word(56) == CRC32C.checksum(UnsafeRawBufferPointer(rebasing: preface[0..<56])),
            UInt64(littleEndian: preface.loadUnaligned(fromByteOffset: 8, as: UInt64.self)) == UInt64(length),
            preface[16..<48].elementsEqual(blob.bytes), Int(word(48)) == chunks(of: length)
        else { return nil }
        let table = UnsafeRawBufferPointer(rebasing: preface[headerSize..<prefaceSize(of: length)])
        guard word(52) == CRC32C.checksum(table) else { return nil }
        return (0..<chunks(of: length)).map { word(headerSize + 4 * $0) }
    }

    static func fileName(_ segment: Int64) -> String {
        let digits = String(segment)
        return String(repeating: "0", count: max(0, 6 - digits.count)) + digits + ".seg"
    }

    static func segment(ofFileName name: String) -> Int64? {
        guard name.hasSuffix(".seg") else { return nil }
        return Int64(name.dropLast(4))
    }
}

extension [UInt8] {
    mutating func append(integer: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: integer.littleEndian) { append(contentsOf: $0) }
    }
}
