import Foundation
import StoreEngine
import Synchronization

/// Files on a disk that can lose power, fill up or fail. It keeps everything in memory, twice: as the process sees it, and as it
/// would be after a power cut.
///
/// After `losePower`, a file has what it had at its last `sync`, and of each write since then nothing, all, or a part that ends at
/// a sector, by the dice: a disk may have written any of it. A file whose directory was not synced since it was made is
/// gone, or not, by the dice too. The database is no part of it: see `PowerLossTests`.
final class FaultyFiles: FileLayer {
    enum Fault: Int32, Sendable {
        case full = 28  // ENOSPC
        case failing = 5  // EIO
        case readOnly = 30  // EROFS
    }

    struct Write: Sendable {
        var offset: Int
        var bytes: [UInt8]
    }

    struct Content: Sendable {
        var durable: [UInt8] = []
        var now: [UInt8] = []
        var unsynced: [Write] = []
        var isEntryDurable = false
    }

    struct State: Sendable {
        var files: [String: Content] = [:]
        /// Files without a name: who has one open reads on. The name is back after a power cut while it is in `comesBack`.
        var removed: [String: Content] = [:]
        var comesBack: Set<String> = []
        var writeFault: Fault?
        var syncFault: Fault?
        /// Octets that still fit when `writeFault` is `.full`.
        var room = 0
        var syncs = 0
        var beforeSync: (@Sendable (Int) -> Void)?
    }

    let state = Mutex(State())

    init() {}

    private init(_ files: [String: Content]) { state.withLock { $0.files = files } }

    func fail(writes: Fault? = nil, syncs: Fault? = nil, room: Int = 0) {
        state.withLock { state in
            state.writeFault = writes
            state.syncFault = syncs
            state.room = room
        }
    }

    /// Calls `body` with the number of each sync, on the thread that syncs, before the sync is done.
    func beforeEachSync(_ body: (@Sendable (Int) -> Void)?) { state.withLock { $0.beforeSync = body } }

    /// The disk as it would be found after power was lost at this moment, with the directory's name changed.
    ///
    /// - Parameter keeping: files that had a name at an earlier moment, to which the rows go back.
    func losingPower(
        seed: UInt64, renaming names: (old: String, new: String)? = nil, keeping kept: Set<String> = []
    ) -> FaultyFiles {
        var random = SystemSplitMix(seed: seed)
        var files = state.withLock { $0.files }
        let (removed, comesBack) = state.withLock { ($0.removed, $0.comesBack) }
        for (path, content) in removed.sorted(by: { $0.key < $1.key }) where files[path] == nil {
            if kept.contains(path) || (comesBack.contains(path) && Bool.random(using: &random)) {
                files[path] = content
            }
        }
        var survived: [String: Content] = [:]
        for (path, content) in files.sorted(by: { $0.key < $1.key }) {
            if !content.isEntryDurable, Bool.random(using: &random) { continue }
            var bytes = content.durable
            for write in content.unsynced {
                let kept: Int
                switch Int.random(in: 0..<3, using: &random) {
                case 0: kept = 0
                case 1: kept = write.bytes.count
                default:
                    kept = min(write.bytes.count, Int.random(in: 0...write.bytes.count, using: &random) / 512 * 512)
                }
                bytes.put(write.bytes.prefix(kept), at: write.offset)
            }
            let found = names.map { path.replacingOccurrences(of: $0.old + "/", with: $0.new + "/") } ?? path
            survived[found] = Content(durable: bytes, now: bytes, unsynced: [], isEntryDurable: true)
        }
        return FaultyFiles(survived)
    }

    /// Changes octets on the disk itself.
    func corrupt(_ path: String, _ body: (inout [UInt8]) -> Void) {
        state.withLock { state in
            guard var content = state.files[path] else { return }
            body(&content.now)
            content.durable = content.now
            state.files[path] = content
        }
    }

    func paths() -> [String] { state.withLock { $0.files.keys.sorted() } }

    // MARK: FileLayer

    func open(_ path: String, create: Bool) throws(FileError) -> any StoreFile {
        let error = state.withLock { state -> Int32? in
            if state.files[path] != nil { return nil }
            guard create else { return 2 }
            if state.writeFault == .readOnly { return Fault.readOnly.rawValue }
            state.files[path] = Content()
            return nil
        }
        if let error { throw FileError(operation: "open", path: path, code: error) }
        return FaultyFile(layer: self, path: path)
    }

    func syncDirectory(_ path: String) throws(FileError) {
        state.withLock { state in
            for name in state.files.keys where name.hasPrefix(path + "/") { state.files[name]?.isEntryDurable = true }
            state.comesBack = state.comesBack.filter { !$0.hasPrefix(path + "/") }
        }
    }

    func makeDirectory(_ path: String) throws(FileError) {}
    func remove(_ path: String) throws(FileError) {
        state.withLock { state in
            guard let content = state.files.removeValue(forKey: path) else { return }
            state.removed[path] = content
            if content.isEntryDurable { state.comesBack.insert(path) }
        }
    }

    func list(_ path: String) throws(FileError) -> [String] {
        state.withLock { state in
            state.files.keys.filter { $0.hasPrefix(path + "/") }.map { String($0.dropFirst(path.count + 1)) }
        }
    }

    func freeSpace(_ path: String) -> Int64 { .max }
}

final class FaultyFile: StoreFile {
    private let layer: FaultyFiles
    private let path: String

    init(layer: FaultyFiles, path: String) {
        self.layer = layer
        self.path = path
    }

    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
        let bytes = layer.state.withLock { $0.files[path]?.now ?? $0.removed[path]?.now } ?? []
        let start = min(Int(offset), bytes.count)
        let count = min(buffer.count, bytes.count - start)
        if count > 0 { buffer.copyBytes(from: bytes[start..<start + count]) }
        return count
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(FileError) {
        let data = Array(bytes)
        let error = layer.state.withLock { state -> Int32? in
            var data = data
            var error: Int32?
            if let fault = state.writeFault {
                if fault == .full, data.count <= state.room {
                    state.room -= data.count
                } else {
                    // A full disk takes a part.
                    data = fault == .full ? Array(data.prefix(state.room)) : []
                    state.room = 0
                    error = fault.rawValue
                }
            }
            state.files[path]?.now.put(data[...], at: Int(offset))
            state.files[path]?.unsynced.append(FaultyFiles.Write(offset: Int(offset), bytes: data))
            return error
        }
        if let error { throw FileError(operation: "write", path: path, code: error) }
    }

    func sync() throws(FileError) {
        let (hook, number) = layer.state.withLock { state in
            state.syncs += 1
            return (state.beforeSync, state.syncs)
        }
        hook?(number)
        let error = layer.state.withLock { state -> Int32? in
            if let fault = state.syncFault {
                // Linux marks the pages clean: what was written is lost, and the next sync would say it is fine.
                state.files[path]?.unsynced = []
                return fault.rawValue
            }
            guard var content = state.files[path] else { return 5 }
            for write in content.unsynced { content.durable.put(write.bytes[...], at: write.offset) }
            content.unsynced = []
            state.files[path] = content
            return nil
        }
        if let error { throw FileError(operation: "fdatasync", path: path, code: error) }
    }

    func truncate(to size: Int64) throws(FileError) {
        layer.state.withLock { state in
            guard var content = state.files[path] else { return }
            content.now = Array(content.now.prefix(Int(size)))
            content.durable = Array(content.durable.prefix(Int(size)))
            state.files[path] = content
        }
    }

    func size() throws(FileError) -> Int64 {
        layer.state.withLock { Int64(($0.files[path] ?? $0.removed[path])?.now.count ?? 0) }
    }
}

extension [UInt8] {
    mutating func put(_ bytes: ArraySlice<UInt8>, at offset: Int) {
        guard !bytes.isEmpty else { return }
        if count < offset + bytes.count { append(contentsOf: repeatElement(0, count: offset + bytes.count - count)) }
        replaceSubrange(offset..<offset + bytes.count, with: bytes)
    }
}

/// SplitMix64.
struct SystemSplitMix: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed &* 0x2545_F491_4F6C_DD1D }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}
