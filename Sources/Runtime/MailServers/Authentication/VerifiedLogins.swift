internal import Crypto
internal import MailStore
internal import MartletCore
internal import Synchronization

/// Remembers which passwords argon2id has found right, so that the next login costs microseconds.
///
/// Kept is HMAC-SHA-256 of account, credential generation and password under a key that this process drew at random and
/// tells nobody: a change of credentials makes all entries of the account miss, and a core dump without the key is of no use.
/// Wrong passwords are not kept.
final class VerifiedLogins: Sendable {
    typealias Key = [UInt8]

    /// Different passwords (main and devices) that are remembered of one account.
    static let passwordsPerAccount = 8
    static let maximumAccounts = 100_000
    /// How often a credential's use is told to the store.
    static let noteInterval = Duration.seconds(3_600)

    private struct Entry {
        var key: Key
        var credential: CredentialMark
        var notedAt: Instant
    }

    private let secret = SymmetricKey(size: .bits256)
    private let table = Mutex<[AccountID: [Entry]]>([:])

    func key(account: AccountID, generation: Int64, password: Secret) -> Key {
        var code = HMAC<SHA256>(key: secret)
        withUnsafeBytes(of: (account.value.littleEndian, generation.littleEndian)) { code.update(data: $0) }
        code.update(data: password.exposed)
        return Array(code.finalize())
    }

    /// The credential that `key` stands for; with `isNoteDue` when its use has not been told for an hour.
    func find(_ key: Key, account: AccountID, now: Instant) -> (credential: CredentialMark, isNoteDue: Bool)? {
        table.withLock { table in
            guard let index = table[account]?.firstIndex(where: { $0.key == key }), let entry = table[account]?[index]
            else { return nil }
            guard now - entry.notedAt >= VerifiedLogins.noteInterval else { return (entry.credential, false) }
            table[account]?[index].notedAt = now
            return (entry.credential, true)
        }
    }

    func add(_ key: Key, account: AccountID, credential: CredentialMark, now: Instant) {
        table.withLock { table in
            if table.count >= VerifiedLogins.maximumAccounts, table[account] == nil,
                let victim = table.keys.randomElement()
            {
                table[victim] = nil
            }
            var entries = table[account, default: []]
            entries.removeAll { $0.key == key }
            if entries.count >= VerifiedLogins.passwordsPerAccount { entries.removeFirst() }
            entries.append(Entry(key: key, credential: credential, notedAt: now))
            table[account] = entries
        }
    }
}
