internal import MailStore
internal import Synchronization

/// Mailbox rows of the accounts that were used of late, as last committed: what names, counters and STATUS are answered from.
///
/// A reader that loads an account announces it first; a commit that changes the account meanwhile spoils the load, so that
/// nothing stale is kept.
final class AccountCache: Sendable {
    private static let maximumAccounts = 20_000

    private struct State: Sendable {
        var accounts: [AccountID: AccountMailboxes] = [:]
        /// Loads that are under way: number → account, and whether a commit spoiled it.
        var loads: [Int: (account: AccountID, isSpoiled: Bool)] = [:]
        var nextLoad = 0
    }

    private let state = Mutex(State())

    func account(_ id: AccountID) -> AccountMailboxes? { state.withLock { $0.accounts[id] } }

    func info(_ key: MailboxKey) -> (isLoaded: Bool, info: MailboxInfo?) {
        state.withLock { state in
            guard let account = state.accounts[key.account] else { return (false, nil) }
            guard let row = account.rows[key.mailbox], row.deletedAt == 0 else { return (true, nil) }
            return (true, account.info(row))
        }
    }

    func beginLoad(_ account: AccountID) -> Int {
        state.withLock { state in
            state.nextLoad += 1
            state.loads[state.nextLoad] = (account, false)
            return state.nextLoad
        }
    }

    func endLoad(_ number: Int, _ loaded: AccountMailboxes?) {
        state.withLock { state in
            guard let load = state.loads.removeValue(forKey: number), let loaded, !load.isSpoiled else { return }
            if state.accounts.count >= AccountCache.maximumAccounts, let some = state.accounts.keys.first {
                state.accounts[some] = nil
            }
            state.accounts[load.account] = loaded
        }
    }

    /// Takes over what a commit changed: whole accounts, and single rows of accounts that did not change otherwise.
    func commit(accounts: [AccountID: AccountMailboxes?], rows: [MailboxKey: MailboxRow]) {
        state.withLock { state in
            if !state.loads.isEmpty {
                for (number, load) in state.loads where !load.isSpoiled {
                    if accounts[load.account] != nil || rows.keys.contains(where: { $0.account == load.account }) {
                        state.loads[number]?.isSpoiled = true
                    }
                }
            }
            for (id, account) in accounts { state.accounts[id] = account }
            // A row that the account has no more is that of a mailbox which was forgotten.
            for (key, row) in rows where state.accounts[key.account]?.rows[key.mailbox] != nil {
                state.accounts[key.account]?.rows[key.mailbox] = row
            }
            while state.accounts.count > AccountCache.maximumAccounts, let some = state.accounts.keys.first {
                state.accounts[some] = nil
            }
        }
    }
}
