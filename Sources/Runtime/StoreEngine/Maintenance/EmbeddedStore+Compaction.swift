public import MailStore

// Segment files only grow. What nobody names any more in them is given back here: what is still named is appended anew, then
// the file goes.
//
// All changes are made by the committer, each in a commit of its own between those of mail, and small. A copy is durable
// before its row is changed, in the same commit; a file goes after the commit that takes its row away. So a crash at any moment
// leaves each row with its bytes: what may be left is a copy that no row names, or a file that no row names, and opening the
// store removes both.
extension EmbeddedStore {
    /// Rows that are looked at in one go, so that other maintenance does not wait.
    private static let page = 4_096
    /// Blobs that are dealt with before the rows are walked on: about 100 octets of memory each.
    private static let gatherLimit = 50_000
    /// Octets and blobs that one commit moves.
    private static let sliceBytes: Int64 = 1 << 20
    private static let sliceBlobs = 256
    private static let forgetSlice = 500

    /// Compacts the segment files that are worth it. Online: mail waits for one small commit at most.
    ///
    /// - Throws: `.notAllowed` when another compaction, a repair or a backup is under way; `.unavailable` when the disk is full.
    public func compact(_ policy: CompactionPolicy = CompactionPolicy()) async throws(StoreError) -> CompactionReport {
        try gate.enter("a compaction")
        defer { gate.leave() }
        guard !segments.isHeld else {
            throw .notAllowed(reason: "a backup is being made; try again when it has ended")
        }
        try removed { () throws(FileError) in try segments.removeLeftOver() }
        var report = CompactionReport()
        let chosen = try await chooseSegments(policy, &report)
        guard !chosen.isEmpty else { return report }
        var stuck: Set<Int64> = []
        var last: [UInt8]? = []
        while let start = last {
            let gathered = try await gather(in: chosen, after: start)
            last = gathered.last
            guard try await move(gathered.blobs, policy, &stuck, &report) else {
                report.isPartial = true
                return report
            }
        }
        try await remove(chosen.subtracting(stuck), &report)
        return report
    }

    // MARK: Choosing

    private struct Usage: Sendable {
        var live: Int64 = 0
        var rows = 0
    }

    private func chooseSegments(_ policy: CompactionPolicy, _ report: inout CompactionReport)
        async throws(StoreError) -> Set<Int64>
    {
        // Tails first: what is stored while blobs are counted lies in the last of these or behind it.
        let tails = try await maintenance.read { try $0.segmentTails() }
        var usage: [Int64: Usage] = [:]
        try await walkBlobs(after: []) { blobs in
            for blob in blobs {
                usage[blob.segment, default: Usage()].rows += 1
                // What makes no sense cannot be moved, and keeps its file.
                guard blob.references != 0, let location = blob.location else { continue }
                usage[blob.segment]?.live += Int64(SegmentFormat.recordSize(of: location.length))
            }
            return true
        }
        var chosen: Set<Int64> = []
        for (segment, tail) in tails {
            let found = usage[segment] ?? Usage()
            let dead = max(0, tail - found.live)
            let isPresent = segment == tails.last?.segment
            let isWorthIt =
                isPresent
                ? dead > 0 && dead >= policy.minimumInPresentFile && Double(dead) >= policy.deadShare * Double(tail)
                : found.rows == 0 || (dead > 0 && Double(dead) >= policy.deadShare * Double(tail))
            guard isWorthIt else {
                report.remainingBytes += dead
                continue
            }
            if isPresent {
                // The highest row stays: numbers of files are never used again.
                try await committer.submit(segmentUse: .beginsFile) { $0.pending.namesSegments = true }
            }
            chosen.insert(segment)
        }
        return chosen
    }

    /// Calls `body` with all rows of `blobs` behind one, page by page, until it returns false.
    ///
    /// - Returns: where it stopped; nil at the end.
    @discardableResult
    private func walkBlobs(after start: [UInt8], _ body: ([KnownBlob]) throws(StoreError) -> Bool)
        async throws(StoreError) -> [UInt8]?
    {
        var last: [UInt8]? = start
        while let next = last {
            let page = try await maintenance.read { try $0.blobs(after: next, limit: EmbeddedStore.page) }
            last = page.last
            if try !body(page.blobs) { return last }
        }
        return nil
    }

    private func gather(in chosen: Set<Int64>, after start: [UInt8]) async throws(StoreError) -> (
        blobs: [KnownBlob], last: [UInt8]?
    ) {
        var gathered: [KnownBlob] = []
        let last = try await walkBlobs(after: start) { blobs in
            gathered += blobs.filter { chosen.contains($0.segment) }
            return gathered.count < EmbeddedStore.gatherLimit
        }
        // In the order in which they lie on the disk.
        return (gathered.inOrderOfPlaces(), last)
    }

    // MARK: Moving

    /// Moves what is named, and forgets what is not. Returns false when the task was cancelled.
    private func move(
        _ gathered: [KnownBlob], _ policy: CompactionPolicy, _ stuck: inout Set<Int64>,
        _ report: inout CompactionReport
    ) async throws(StoreError) -> Bool {
        let unnamed = Set(gathered.filter { $0.references == 0 }.map(\.blob))
        // A counter that is wrong must not cost a message: nothing is forgotten that a row names.
        let named = try await maintenance.read { try $0.named(among: unnamed) }
        if !named.isEmpty {
            report.add(
                "\(named.count) contents are counted as unnamed and are named; “martlet verify --repair” counts them anew"
            )
        }
        var forgettable: [BlobID] = []
        var slice: [KnownBlob] = []
        var bytes: Int64 = 0
        for blob in gathered {
            if unnamed.contains(blob.blob), !named.contains(blob.blob) {
                forgettable.append(blob.blob)
                continue
            }
            guard let location = blob.location else {
                report.add("blob \(blob.blob.hexadecimal): its place makes no sense")
                stuck.insert(blob.segment)
                continue
            }
            let size = Int64(SegmentFormat.recordSize(of: location.length))
            if !slice.isEmpty, bytes + size > EmbeddedStore.sliceBytes || slice.count >= EmbeddedStore.sliceBlobs {
                guard try await moveSlice(slice, bytes, policy, &stuck, &report) else { return false }
                slice = []
                bytes = 0
            }
            slice.append(blob)
            bytes += size
        }
        guard try await moveSlice(slice, bytes, policy, &stuck, &report) else { return false }
        for start in stride(from: 0, to: forgettable.count, by: EmbeddedStore.forgetSlice) {
            if Task.isCancelled { return false }
            let part = forgettable[start..<min(start + EmbeddedStore.forgetSlice, forgettable.count)]
            // Alone in its commit: a delivery of the same bytes finds them before it, or stores them anew behind it.
            report.forgottenBlobs += try await committer.submit(isExclusive: true) { try $0.forget(blobs: part) }
        }
        return true
    }

    private func moveSlice(
        _ slice: [KnownBlob], _ bytes: Int64, _ policy: CompactionPolicy, _ stuck: inout Set<Int64>,
        _ report: inout CompactionReport
    ) async throws(StoreError) -> Bool {
        guard !slice.isEmpty else { return true }
        if Task.isCancelled { return false }
        let read = try await maintenance.read { [segments, spool] _ in
            slice.map { Relocation(reading: $0, from: segments, into: spool) }
        }
        for relocation in read where relocation.content == nil {
            report.add("blob \(relocation.known.blob.hexadecimal): \(relocation.fault)")
            stuck.insert(relocation.known.segment)
        }
        let content = read.compactMap(\.content)
        defer { removeSpoolFiles(content) }
        if !content.isEmpty {
            let moved = try await committer.submit(content: content, segmentUse: .storesAgain) { transaction in
                try read.count { try transaction.move($0) }
            }
            report.movedBlobs += moved
            report.movedBytes += bytes
        }
        guard let rate = policy.bytesPerSecond, rate > 0 else { return true }
        try? await Task.sleep(for: .milliseconds(bytes.multipliedReportingOverflow(by: 1_000).partialValue / rate))
        return !Task.isCancelled
    }

    // MARK: Removing

    private func remove(_ chosen: Set<Int64>, _ report: inout CompactionReport) async throws(StoreError) {
        guard !chosen.isEmpty else { return }
        // Rows of these files only become fewer: the file that is written is none of them.
        var inUse: Set<Int64> = []
        try await walkBlobs(after: []) { blobs in
            for blob in blobs where chosen.contains(blob.segment) { inUse.insert(blob.segment) }
            return true
        }
        report.freedBytes = -report.movedBytes
        for segment in chosen.subtracting(inUse).sorted() {
            try await committer.submit { try $0.writing(.removeSegment).add(Schema.shard).add(segment).run() }
            let size = (try? segments.file(segment).size()) ?? 0
            try removed { () throws(FileError) in try segments.retire(segment) }
            report.removedFiles += 1
            report.freedBytes += size
        }
    }

    private func removed(_ body: () throws(FileError) -> Void) throws(StoreError) {
        do throws(FileError) { try body() } catch { throw StoreError(error) }
    }

    // MARK: Copying

    /// Segment files stay where they are until `releaseSegments`, or until so much time has passed without another call: for
    /// a backup that another process makes.
    public func holdSegments(for holder: Int64, patience: Duration) { segments.hold(holder, for: patience) }

    public func releaseSegments(of holder: Int64) {
        do throws(FileError) { try segments.release(holder) } catch {
            logger.error("a segment file could not be removed", metadata: ["error": "\(error)"])
        }
    }
}

/// A blob on its way to another file.
private struct Relocation: Sendable {
    var known: KnownBlob
    /// nil when its octets are damaged.
    var content: SpooledMessage?
    var fault = ""

    private static let piece = 1 << 20

    /// Reads a blob and checks its octets with their checksums and its name.
    init(reading known: KnownBlob, from segments: SegmentFiles, into spool: SpoolDirectory) {
        self.known = known
        guard let location = known.location else { return }
        do {
            let writer = Spool(directory: spool)
            var checksums: [UInt32]?
            var offset = 0
            repeat {
                let end = min(location.length, offset + Relocation.piece)
                let bytes = try segments.read(offset..<end, of: known.blob, at: location, checksums: &checksums)
                try bytes.withUnsafeBytes { try writer.append($0) }
                offset = end
            } while offset < location.length
            let content = try writer.finish()
            if content.blob == known.blob {
                self.content = content
            } else {
                fault = "its octets are not those that its name stands for"
            }
        } catch {
            fault = "\(StoreError(error))"
        }
    }
}

extension WriteTransaction {
    /// Lets a blob's row say where its copy is. False when the row has changed meanwhile.
    fileprivate func move(_ relocation: Relocation) throws -> Bool {
        guard let old = relocation.known.location, let new = newBlobs[relocation.known.blob] else { return false }
        let statement = try writing(.moveBlob).add(new.segment).add(new.place)
        try statement.add(Schema.shard).add(relocation.known.blob.bytes).add(old.segment).add(old.place).run()
        guard connection.changes == 1 else { return false }
        pending.namesSegments = true
        return true
    }

    /// Returns how many were still unnamed.
    fileprivate func forget(blobs: some Sequence<BlobID>) throws -> Int {
        var forgotten = 0
        for blob in blobs {
            try writing(.forgetBlob).add(Schema.shard).add(blob.bytes).run()
            forgotten += connection.changes
        }
        return forgotten
    }
}
