/// Reads a backup and compares it with its description.
public struct BackupCheck: Sendable {
    let set: BackupSet
    let name: String

    public init(_ set: BackupSet, _ name: String) {
        self.set = set
        self.name = name
    }

    /// What was found.
    public struct Report: Sendable, Hashable {
        public var name: String
        public var manifest: BackupManifest
        /// What is wrong with the backup, one sentence each: empty when it is as it was written.
        public var damage: [String]
    }

    /// Whether files are there with their sizes: what can be told without reading them.
    public func sizes() throws(BackupFailure) -> Report {
        let manifest = try set.manifest(of: name)
        return Report(
            name: name, manifest: manifest,
            damage: try BackupFailure.wrapping { try faults(of: manifest, readsAll: false) { _, _ in } })
    }

    /// Reads all octets.
    ///
    /// - Parameter progress: called with octets that are read and all of them.
    public func all(_ progress: (Int64, Int64) -> Void = { _, _ in }) throws(BackupFailure) -> Report {
        let manifest = try set.manifest(of: name)
        return Report(
            name: name, manifest: manifest,
            damage: try BackupFailure.wrapping { try faults(of: manifest, readsAll: true, progress) })
    }

    private func faults(
        of manifest: BackupManifest, readsAll: Bool, _ progress: (Int64, Int64) -> Void
    ) throws -> [String] {
        var faults: [String] = []
        var done: Int64 = 0
        let total = manifest.size
        func check(_ path: String, _ shown: String, _ range: Range<Int64>, _ digest: String) throws {
            guard let file = try BackupFiles.openForReading(path) else {
                faults.append("\(shown) is missing")
                return
            }
            let size = try file.size()
            guard size >= range.upperBound else {
                faults.append("\(shown) has \(size) octets of \(range.upperBound)")
                return
            }
            guard readsAll else { return }
            do {
                let found = try BackupFiles.digest(range, of: file, at: shown) { count in
                    done += count
                    progress(min(done, total), total)
                }
                if found != digest {
                    faults.append(
                        "\(shown) is not as it was written (octets \(range.lowerBound) to \(range.upperBound))")
                }
            } catch let error as FileError {
                faults.append("\(shown) cannot be read: \(error)")
            }
        }
        for file in manifest.files {
            try check("\(set.path)/\(name)/\(file.name)", file.name, 0..<file.size, file.sha256)
        }
        for segment in manifest.segments {
            let shown = "blobs/" + SegmentFormat.fileName(segment.number)
            let path = set.segment(segment.number)
            // One that is too short is told once, and not piece by piece.
            let size = try BackupFiles.openForReading(path)?.size() ?? 0
            guard size >= segment.size else {
                try check(path, shown, 0..<segment.size, "")
                continue
            }
            for piece in segment.pieces { try check(path, shown, piece.start..<piece.end, piece.sha256) }
        }
        return faults
    }
}
