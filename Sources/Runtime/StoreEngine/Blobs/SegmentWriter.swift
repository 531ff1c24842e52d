internal import MailStore

/// Appends blobs to the present segment file. Owned by the committer; one thread.
///
/// Bytes past `committed` are named by no row: a batch that fails, or a crash, leaves them to be overwritten or cut off.
final class SegmentWriter {
    /// Octets gathered before they are written.
    private static let stagingSize = 1 << 20

    private let files: SegmentFiles
    private let segmentSize: Int64
    private let freeSpaceReserve: Int64
    private(set) var segment: Int64
    /// End of what rows name.
    private(set) var committed: Int64
    /// End of what was appended in this batch.
    private(set) var tail: Int64
    private var file: (any StoreFile)?
    private var staging: [UInt8] = []
    /// Segments that this batch began or wrote to before the present one, with their ends.
    private(set) var touched: [Int64: Int64] = [:]
    private var unsynced: [Int64: any StoreFile] = [:]
    /// Set when a sync failed: what lies in the file's tail is not trusted, and the next batch begins a new segment.
    private var isSuspect = false

    init(files: SegmentFiles, segmentSize: Int64, freeSpaceReserve: Int64, segment: Int64, tail: Int64) {
        self.files = files
        self.segmentSize = segmentSize
        self.freeSpaceReserve = freeSpaceReserve
        self.segment = segment
        committed = tail
        self.tail = tail
        staging.reserveCapacity(SegmentWriter.stagingSize)
    }

    /// Appends a blob. It is durable after `sync`.
    func append(_ message: SpooledMessage) throws -> BlobLocation {
        let size = Int64(SegmentFormat.recordSize(of: message.size))
        try makeRoom(for: size)
        let location = BlobLocation(segment: segment, place: tail, length: message.size)
        switch message.place {
        case .memory(let bytes): try append(bytes, of: message)
        case .file(let path): try appendFile(path, of: message)
        }
        tail = location.place + size
        return location
    }

    private func append(_ bytes: [UInt8], of message: SpooledMessage) throws {
        guard bytes.count == message.size else {
            throw StoreError.corrupt(reason: "a spooled message changed its size")
        }
        let record = SegmentFormat.recordSize(of: bytes.count)
        if staging.count + record > SegmentWriter.stagingSize { try flush() }
        let checksums = bytes.withUnsafeBytes { SegmentWriter.checksums($0) }
        let end = staging.count + record
        staging.append(contentsOf: SegmentFormat.preface(blob: message.blob, length: bytes.count, checksums: checksums))
        staging.append(contentsOf: bytes)
        while staging.count < end { staging.append(0) }
        tail += Int64(record)
    }

    /// Copies a spool file behind its preface, which is written last, when the checksums are known.
    private func appendFile(_ path: String, of message: SpooledMessage) throws {
        try flush()
        let source = try files.layer.open(path, create: false)
        let target = try present()
        let preface = SegmentFormat.prefaceSize(of: message.size)
        var checksums: [UInt32] = []
        checksums.reserveCapacity(SegmentFormat.chunks(of: message.size))
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 16 * SegmentFormat.chunkSize, alignment: 4_096)
        defer { buffer.deallocate() }
        var offset = 0
        while offset < message.size {
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[0..<min(buffer.count, message.size - offset)])
            guard try source.read(at: Int64(offset), into: part) == part.count else {
                throw StoreError.corrupt(reason: "a spool file is shorter than its message")
            }
            checksums += SegmentWriter.checksums(UnsafeRawBufferPointer(part))
            try target.write(UnsafeRawBufferPointer(part), at: tail + Int64(preface + offset))
            offset += part.count
        }
        let padding = SegmentFormat.recordSize(of: message.size) - preface - message.size
        if padding > 0 {
            try target.write([UInt8](repeating: 0, count: padding), at: tail + Int64(preface + message.size))
        }
        let header = SegmentFormat.preface(blob: message.blob, length: message.size, checksums: checksums)
        try target.write(header, at: tail)
    }

    /// Writes what was gathered and returns when all appended blobs are on disk.
    func sync() throws {
        try flush()
        do {
            for file in unsynced.values { try file.sync() }
        } catch {
            isSuspect = true
            throw error
        }
        unsynced = [:]
        touched[segment] = tail
    }

    /// The batch's rows are committed. When none of them names its bytes, these are forgotten.
    func didCommit(keeping: Bool) {
        guard keeping || touched.isEmpty else { return rollBack(isUncertain: false) }
        committed = tail
        touched = [:]
    }

    /// The batch failed: its bytes are forgotten.
    /// - Parameter isUncertain: rows that name them may come back after a crash: they are not written over.
    func rollBack(isUncertain: Bool) {
        staging.removeAll(keepingCapacity: true)
        unsynced = [:]
        touched = [:]
        if isSuspect || isUncertain || tail < committed {
            beginNext()
        } else {
            tail = committed
        }
    }

    /// Leaves the present file, between two batches: what comes next goes to a new one.
    func beginFile() {
        guard tail > 0 else { return }
        beginNext()
        touched[segment] = 0
    }

    private func makeRoom(for size: Int64) throws {
        if isSuspect { beginNext() }
        if files.layer.freeSpace(files.directory) - size < freeSpaceReserve {
            throw StoreError.unavailable(reason: "the disk is full")
        }
        guard tail > 0, tail + size > segmentSize else { return }
        try flush()
        touched[segment] = tail
        beginNext()
    }

    private func beginNext() {
        segment += 1
        tail = 0
        committed = 0
        file = nil
        isSuspect = false
    }

    private func present() throws -> any StoreFile {
        if let file {
            unsynced[segment] = file
            return file
        }
        let opened = try files.layer.open(files.path(segment), create: true)
        try files.layer.syncDirectory(files.directory)
        files.register(opened, segment)
        file = opened
        unsynced[segment] = opened
        return opened
    }

    private func flush() throws {
        guard !staging.isEmpty else { return }
        let target = try present()
        let start = tail - Int64(staging.count)
        try target.write(staging, at: start)
        staging.removeAll(keepingCapacity: true)
    }

    private static func checksums(_ bytes: UnsafeRawBufferPointer) -> [UInt32] {
        var checksums: [UInt32] = []
        var offset = 0
        while offset < bytes.count {
            let next = min(offset + SegmentFormat.chunkSize, bytes.count)
            checksums.append(CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[offset..<next])))
            offset = next
        }
        return checksums
    }
}
