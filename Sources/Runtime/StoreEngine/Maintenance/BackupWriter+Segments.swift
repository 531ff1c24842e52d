// What is new in segment files since the last backup of the directory.
extension BackupWriter {
    /// Octets before the end of what is there that must be the same in the store.
    private static let comparedEnd: Int64 = 64 << 10

    func copySegments(
        _ tails: [(segment: Int64, tail: Int64)], _ known: [Int64: BackupManifest.Segment]
    ) throws -> (segments: [BackupManifest.Segment], octets: Int64) {
        let total = tails.reduce(0) { $0 + max(0, $1.tail - (known[$1.segment]?.size ?? 0)) }
        var done: Int64 = 0
        var segments: [BackupManifest.Segment] = []
        for (number, tail) in tails where tail > 0 {
            var segment = known[number] ?? BackupManifest.Segment(number: number, pieces: [])
            if segment.size > 0, try !isContinued(segment, tail) {
                throw BackupFailure(
                    .refused,
                    "\(set.path) has backups of another store, or of this one before it was restored from an older backup (\(SegmentFormat.fileName(number)) differs): give an empty directory"
                )
            }
            if segment.size < tail {
                let piece = try copyPiece(of: number, segment.size..<tail) { count in
                    done += count
                    try progress?(.messages, done, total)
                }
                segment.pieces.append(piece)
            }
            segments.append(segment)
        }
        try BackupFiles.layer.syncDirectory(set.blobs)
        return (segments, done)
    }

    /// Whether the store's segment goes on where the backup's ends.
    private func isContinued(_ segment: BackupManifest.Segment, _ tail: Int64) throws -> Bool {
        guard tail >= segment.size else { return false }
        guard let copy = try BackupFiles.openForReading(set.segment(segment.number)), try copy.size() >= segment.size
        else {
            throw BackupFailure(
                .damaged,
                "the backups in \(set.path) are damaged: \(SegmentFormat.fileName(segment.number)) is missing or too short; give an empty directory for new ones"
            )
        }
        // One that is missing in the store is the store's fault, and is told when the copy is compared.
        guard let source = try BackupFiles.openForReading(store + "/blobs/" + SegmentFormat.fileName(segment.number))
        else {
            return true
        }
        let start = max(0, segment.size - BackupWriter.comparedEnd)
        let name = SegmentFormat.fileName(segment.number)
        guard try source.size() >= segment.size else { return true }
        return try BackupFiles.digest(start..<segment.size, of: source, at: name) { _ in }
            == BackupFiles.digest(start..<segment.size, of: copy, at: name) { _ in }
    }

    /// Copies what is new in a segment. What the store lacks is left out: the rows that name it are told when the copy is
    /// compared.
    private func copyPiece(
        of number: Int64, _ range: Range<Int64>, _ progress: (Int64) throws -> Void
    ) throws -> BackupManifest.Piece {
        let name = SegmentFormat.fileName(number)
        let target = try BackupFiles.layer.open(set.segment(number), create: true)
        // What an earlier run left behind the last backup's end is written over.
        let source = try BackupFiles.openForReading(store + "/blobs/" + name)
        let there = min(range.upperBound, max(range.lowerBound, try source?.size() ?? 0))
        if let source, there > range.lowerBound {
            _ = try BackupFiles.copy(range.lowerBound..<there, of: source, at: name, to: target, progress)
        }
        if there < range.upperBound {
            if try target.size() < range.upperBound { try target.truncate(to: range.upperBound) }
            try target.sync()
        }
        guard let copy = try BackupFiles.openForReading(set.segment(number)) else {
            throw BackupFailure(.failed, "\(set.segment(number)) is gone")
        }
        // Of what stands in the copy now.
        let digest = try BackupFiles.digest(range, of: copy, at: name) { _ in }
        return BackupManifest.Piece(start: range.lowerBound, end: range.upperBound, sha256: digest)
    }
}
