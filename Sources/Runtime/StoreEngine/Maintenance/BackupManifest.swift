internal import Crypto
internal import Foundation
internal import MartletBytes

/// What a backup consists of, with size and SHA-256 of everything: the file `manifest.json` of a backup.
public struct BackupManifest: Codable, Sendable, Hashable {
    /// A whole file of the backup's own directory.
    public struct File: Codable, Sendable, Hashable {
        /// In the backup: `store.db`, `files/tls/ca-key.pem`.
        public var name: String
        public var size: Int64
        /// 64 hexadecimal digits.
        public var sha256: String
        /// The permissions that it had.
        public var mode: UInt32
        /// Where it was; absent for `store.db`.
        public var origin: String?
    }

    /// A segment file, which all backups of a directory share. Each backup names what there was of it then; it has only grown.
    public struct Segment: Codable, Sendable, Hashable {
        public var number: Int64
        public var pieces: [Piece]
        /// Octets of the segment.
        public var size: Int64 { pieces.last?.end ?? 0 }
    }

    /// Octets `start` to `end` of a segment, as one run copied them.
    public struct Piece: Codable, Sendable, Hashable {
        public var start: Int64
        public var end: Int64
        public var sha256: String
    }

    /// Of this description.
    public var format = BackupManifest.format
    public static let format = 1
    /// Of the store's tables.
    public var schema: Int
    /// Of the program that wrote it.
    public var version: String
    public var hostname: String
    /// RFC 3339.
    public var createdAt: String
    /// Rows by table.
    public var counts: [String: Int64]
    public var files: [File]
    public var segments: [Segment]
    /// Faults that the store itself had: the backup has them too.
    public var faults: [String]

    public var file: File? { files.first { $0.name == BackupSet.database } }
    /// Octets of all of it.
    public var size: Int64 { files.reduce(0) { $0 + $1.size } + segments.reduce(0) { $0 + $1.size } }

    func encoded() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(self)) + [0x0A]
    }

    /// - Parameter refuse: throws for a reason in words.
    static func decoded(
        _ bytes: [UInt8], orElse refuse: (String) throws(BackupFailure) -> Never
    ) throws(BackupFailure) -> BackupManifest {
        struct Head: Decodable { var format: Int }
        let data = Data(bytes)
        guard let head = try? JSONDecoder().decode(Head.self, from: data) else { try refuse("its manifest is no JSON") }
        guard head.format <= BackupManifest.format else {
            throw BackupFailure(
                .newer,
                "the backup has the form \(head.format), this program knows forms up to \(BackupManifest.format): use a newer program"
            )
        }
        guard let manifest = try? JSONDecoder().decode(BackupManifest.self, from: data), manifest.isPlausible else {
            try refuse("its manifest makes no sense")
        }
        return manifest
    }

    /// The numbers that must hold before anything is made of them.
    var isPlausible: Bool {
        let areFiles = files.allSatisfy { file in
            file.size >= 0 && !file.name.hasPrefix("/") && !file.name.isEmpty
                && !file.name.split(separator: "/", omittingEmptySubsequences: false).contains {
                    $0 == ".." || $0.isEmpty
                }
        }
        return areFiles
            && segments.allSatisfy { segment in
                var end: Int64 = 0
                for piece in segment.pieces {
                    guard piece.start == end, piece.end > piece.start else { return false }
                    end = piece.end
                }
                return segment.number >= 0
            }
    }
}

/// SHA-256 of octets that come in parts.
struct RunningDigest {
    private var hash = SHA256()

    mutating func update(_ bytes: UnsafeRawBufferPointer) { hash.update(bufferPointer: bytes) }

    func hexadecimal() -> String { Hex.encode(hash.finalize()) }

    static func of(_ bytes: [UInt8]) -> String {
        var digest = RunningDigest()
        bytes.withUnsafeBytes { digest.update($0) }
        return digest.hexadecimal()
    }
}
