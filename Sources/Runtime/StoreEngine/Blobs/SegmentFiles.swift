internal import MailStore
internal import Synchronization

/// The segment files, open for reading. Shared by all threads.
final class SegmentFiles: Sendable {
    /// Files that are kept open.
    private static let maximumOpen = 128

    let directory: String
    let layer: any FileLayer
    private let files = Mutex(State())

    fileprivate struct State: Sendable {
        var open: [Int64: any StoreFile] = [:]
        /// Files that no row names any more. Their numbers are never used again.
        var retired: Set<Int64> = []
        /// Of those, the ones that are still there, because somebody copies.
        var leftOver: Set<Int64> = []
        /// Who copies, and until when, should nothing be heard from him.
        var holds: [Int64: ContinuousClock.Instant] = [:]
    }

    init(directory: String, layer: any FileLayer) {
        self.directory = directory
        self.layer = layer
    }

    func path(_ segment: Int64) -> String { directory + "/" + SegmentFormat.fileName(segment) }

    func file(_ segment: Int64) throws(FileError) -> any StoreFile {
        if let file = files.withLock({ $0.open[segment] }) { return file }
        let file = try layer.open(path(segment), create: false)
        register(file, segment)
        return file
    }

    func register(_ file: any StoreFile, _ segment: Int64) {
        files.withLock { state in
            // A reader that opened the file before it was removed does not bring it back.
            guard !state.retired.contains(segment) else { return }
            if state.open.count >= SegmentFiles.maximumOpen, let some = state.open.keys.first { state.open[some] = nil }
            state.open[segment] = file
        }
    }

    // MARK: Removing

    /// Removes a file that no row names any more: now, or when nobody copies. Who has it open can read it to the end.
    func retire(_ segment: Int64) throws(FileError) {
        files.withLock { state in
            state.open[segment] = nil
            state.retired.insert(segment)
            state.leftOver.insert(segment)
        }
        try removeLeftOver()
    }

    /// Removes what was left because somebody copied, unless somebody does now.
    func removeLeftOver() throws(FileError) {
        let removable = files.withLock { state -> Set<Int64> in
            guard !state.isHeld else { return [] }
            defer { state.leftOver = [] }
            return state.leftOver
        }
        for segment in removable { try layer.remove(path(segment)) }
    }

    /// Files stay until `release`, or until so much time has passed without another call.
    func hold(_ holder: Int64, for patience: Duration) {
        files.withLock { $0.holds[holder] = .now.advanced(by: patience) }
    }

    func release(_ holder: Int64) throws(FileError) {
        files.withLock { $0.holds[holder] = nil }
        try removeLeftOver()
    }

    /// Whether somebody copies.
    var isHeld: Bool { files.withLock { $0.isHeld } }

    // MARK: Reading

    /// Reads octets `range` of a blob, `range` lying within it. Only chunks whose checksum holds are given out.
    /// - Parameters:
    ///   - opened: the file, when the caller has kept it open; it may have been removed since.
    ///   - checksums: as returned before for this blob, so that the table is read once.
    func read(
        _ range: Range<Int>, of blob: BlobID, at location: BlobLocation, in opened: (any StoreFile)? = nil,
        checksums known: inout [UInt32]?
    ) throws(StoreError) -> [UInt8] {
        guard !range.isEmpty else { return [] }
        do {
            let file = try opened ?? file(location.segment)
            let preface = SegmentFormat.prefaceSize(of: location.length)
            let firstChunk = range.lowerBound / SegmentFormat.chunkSize
            let start = firstChunk * SegmentFormat.chunkSize
            let end = min(location.length, SegmentFormat.chunks(of: range.upperBound) * SegmentFormat.chunkSize)
            // A small blob, or the beginning of a large one: preface and data in one read.
            let withPreface = known == nil && (start == 0 || preface <= SegmentFormat.headerSize + 64)
            if known == nil, !withPreface { known = try readPreface(file, blob, location) }
            let skipped = withPreface && start == 0 ? preface : 0
            if withPreface, start > 0 { known = try readPreface(file, blob, location) }
            let from = location.place + Int64(skipped > 0 ? 0 : preface + start)
            let wanted = skipped + end - start
            var failure: StoreError?
            let bytes = try [UInt8](unsafeUninitializedCapacity: wanted) { buffer, count in
                let raw = UnsafeMutableRawBufferPointer(buffer)
                let done = try file.read(at: from, into: UnsafeMutableRawBufferPointer(rebasing: raw[0..<wanted]))
                let all = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(raw)[0..<done])
                guard done == wanted else {
                    failure = corrupt(location, "ends before its \(location.length) octets")
                    return
                }
                if skipped > 0 {
                    guard let table = SegmentFormat.checksums(preface: all, blob: blob, length: location.length) else {
                        failure = corrupt(location, "header or checksums are damaged")
                        return
                    }
                    known = table
                }
                var chunk = firstChunk
                var offset = skipped
                while offset < wanted {
                    let next = min(offset + SegmentFormat.chunkSize, wanted)
                    guard let known, chunk < known.count,
                        CRC32C.checksum(UnsafeRawBufferPointer(rebasing: all[offset..<next])) == known[chunk]
                    else {
                        failure = corrupt(location, "chunk \(chunk) fails its checksum")
                        return
                    }
                    chunk += 1
                    offset = next
                }
                // The part that was asked for moves to the front.
                let part = skipped + range.lowerBound - start
                if part > 0, let base = raw.baseAddress { base.copyMemory(from: base + part, byteCount: range.count) }
                count = range.count
            }
            if let failure { throw failure }
            return bytes
        } catch {
            throw StoreError(error)
        }
    }

    /// Reads a whole blob and checks it; nil when it is sound.
    func fault(of blob: BlobID, at location: BlobLocation) -> String? {
        var checksums: [UInt32]?
        var offset = 0
        repeat {
            // In parts, since a blob may be large.
            let end = min(location.length, offset + 64 * SegmentFormat.chunkSize)
            do throws(StoreError) {
                _ = try read(offset..<end, of: blob, at: location, checksums: &checksums)
            } catch {
                return "\(error)"
            }
            offset = end
        } while offset < location.length
        return nil
    }

    private func readPreface(_ file: any StoreFile, _ blob: BlobID, _ location: BlobLocation) throws -> [UInt32] {
        let size = SegmentFormat.prefaceSize(of: location.length)
        let bytes = try [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            count = try file.read(at: location.place, into: UnsafeMutableRawBufferPointer(buffer))
        }
        guard
            let checksums = bytes.withUnsafeBytes({
                SegmentFormat.checksums(preface: $0, blob: blob, length: location.length)
            })
        else {
            throw corrupt(location, "header or checksums are damaged")
        }
        return checksums
    }

    private func corrupt(_ location: BlobLocation, _ reason: String) -> StoreError {
        .corrupt(reason: "\(SegmentFormat.fileName(location.segment)) at \(location.place): \(reason)")
    }
}

extension SegmentFiles.State {
    fileprivate var isHeld: Bool {
        mutating get {
            let now = ContinuousClock.now
            holds = holds.filter { $0.value > now }
            return !holds.isEmpty
        }
    }
}
