package import MailStore
internal import MartletCore
internal import StoreEngine

/// What an engine can be asked to do with itself while it is in use.
package protocol StoreUpkeep: Sendable {
    func repair(removingDamaged: Bool) async -> RepairView
    func compact(deadShare: Double) async throws(StoreError) -> CompactionView
    func hold(_ holder: Int64, seconds: Int)
}

/// What a repair did.
package struct RepairView: Codable, Sendable, Hashable {
    /// One sentence each; of many, the first are told.
    package var repairs: [String]
    package var repairCount: Int
    /// Messages whose octets are lost.
    package var damagedMessages: [String]
    package var damagedCount: Int
    package var isDamagedRemoved: Bool
    /// The store afterwards.
    package var verification: VerificationView
}

/// What a compaction did.
package struct CompactionView: Codable, Sendable, Hashable {
    package var removedFiles: Int
    /// Octets of the disk that are free now.
    package var freedBytes: Int64
    package var movedMessages: Int
    package var movedBytes: Int64
    package var forgottenMessages: Int
    /// Octets that nobody names, in files that were not worth it.
    package var remainingBytes: Int64
    package var faults: [String]
    package var isPartial: Bool

    init(_ report: CompactionReport) {
        removedFiles = report.removedFiles
        freedBytes = report.freedBytes
        movedMessages = report.movedBlobs
        movedBytes = report.movedBytes
        forgottenMessages = report.forgottenBlobs
        remainingBytes = report.remainingBytes
        faults = report.faults
        isPartial = report.isPartial
    }
}

extension VerificationView {
    init(_ report: VerifyReport) {
        self.init(
            isSound: report.isSound, messages: report.messages, blobs: report.blobs, bytes: report.bytes,
            unreferencedBytes: report.unreferencedBytes, faultCount: report.faultCount, faults: report.faults)
    }
}

/// The embedded engine's.
struct EmbeddedUpkeep: StoreUpkeep {
    let engine: EmbeddedStore

    func repair(removingDamaged: Bool) async -> RepairView {
        let report = await engine.repair(removingDamaged: removingDamaged)
        return RepairView(
            repairs: report.repairs, repairCount: report.repairCount, damagedMessages: report.damagedMessages,
            damagedCount: report.damagedCount, isDamagedRemoved: report.isDamagedRemoved,
            verification: VerificationView(report.verification))
    }

    func compact(deadShare: Double) async throws(StoreError) -> CompactionView {
        // What could be brought back until now is in use no more.
        _ = try await engine.housekeep()
        // Somebody waits: as fast as the disk is, and the file that is written too.
        return CompactionView(
            try await engine.compact(
                CompactionPolicy(deadShare: deadShare, minimumInPresentFile: 1, bytesPerSecond: nil)))
    }

    func hold(_ holder: Int64, seconds: Int) {
        if seconds <= 0 {
            engine.releaseSegments(of: holder)
        } else {
            engine.holdSegments(for: holder, patience: .seconds(seconds))
        }
    }
}

extension Administration {
    /// Seconds for which a backup that is not heard of any more keeps segment files at most.
    static let maximumHold = 3_600

    func maintenance(_ request: AdministrationRequest) async throws(AdministrationFailure) -> AdministrationResponse {
        guard let upkeep else {
            throw AdministrationFailure(.refused, "this store is looked after by its own tools")
        }
        switch request {
        case .repair(let removesDamaged): return .repaired(await upkeep.repair(removingDamaged: removesDamaged))
        case .compact(let deadShare):
            guard deadShare.isFinite, (0...1).contains(deadShare) else {
                throw AdministrationFailure(.invalid, "the share of a file is 0 to 1")
            }
            return .compacted(
                try await stored { () throws(StoreError) in try await upkeep.compact(deadShare: deadShare) })
        case .segmentsHold(let holder, let seconds):
            upkeep.hold(holder, seconds: min(seconds, Administration.maximumHold))
            return .done("")
        default: preconditionFailure("requests about maintenance come here")
        }
    }
}
