/// The tables, in the subset of SQL that SQLite, PostgreSQL and its distributed kin share (DESIGN.md §4): no trigger, no
/// sequence, no foreign key, every key begins with `account_id`, `domain` or `shard`. Times are microseconds UTC.
///
/// `CLUSTERED` stands for what makes the key the order of storage: `WITHOUT ROWID` in SQLite, nothing in PostgreSQL.
enum Schema {
    /// Their count is the version that this program writes. Step `n` brings a store of version `n` to version `n + 1`, in one transaction.
    static let migrations: [[String]] = [first, queue]

    /// From this version on there are tables of the queue.
    static let versionWithQueue = 2

    /// The one shard of the embedded engine; a distributed one spreads blobs and records over many.
    static let shard: Int64 = 0

    private static let first = [
        """
        CREATE TABLE settings (shard BIGINT NOT NULL, name TEXT NOT NULL, value BIGINT NOT NULL, PRIMARY KEY (shard, name)) CLUSTERED
        """,
        """
        CREATE TABLE domains (domain TEXT NOT NULL, catch_all TEXT, separator TEXT, PRIMARY KEY (domain)) CLUSTERED
        """,
        """
        CREATE TABLE aliases (domain TEXT NOT NULL, local_part TEXT NOT NULL, address TEXT NOT NULL, targets TEXT NOT NULL,
            PRIMARY KEY (domain, local_part)) CLUSTERED
        """,
        """
        CREATE TABLE accounts (account_id BIGINT NOT NULL, address TEXT NOT NULL, display_name TEXT NOT NULL, quota BIGINT,
            is_administrator BIGINT NOT NULL, is_suspended BIGINT NOT NULL, credential_generation BIGINT NOT NULL,
            next_mailbox BIGINT NOT NULL, last_uid_validity BIGINT NOT NULL, created_at BIGINT NOT NULL, PRIMARY KEY (account_id)) CLUSTERED
        """,
        """
        CREATE TABLE credentials (account_id BIGINT NOT NULL, number BIGINT NOT NULL, label TEXT NOT NULL, argon2id TEXT NOT NULL,
            sha256_salt BLOB NOT NULL, sha256_iterations BIGINT NOT NULL, sha256_stored BLOB NOT NULL, sha256_server BLOB NOT NULL,
            sha1_salt BLOB NOT NULL, sha1_iterations BIGINT NOT NULL, sha1_stored BLOB NOT NULL, sha1_server BLOB NOT NULL,
            created_at BIGINT NOT NULL, last_used_at BIGINT, PRIMARY KEY (account_id, number)) CLUSTERED
        """,
        // `deleted_at` is 0 while the mailbox exists. A deleted one stays for undelete until its messages are purged.
        // `purged_modseq`: expunges up to it have been forgotten.
        """
        CREATE TABLE mailboxes (account_id BIGINT NOT NULL, mailbox_id BIGINT NOT NULL, name TEXT NOT NULL, uid_validity BIGINT NOT NULL,
            uid_next BIGINT NOT NULL, highest_modseq BIGINT NOT NULL, messages BIGINT NOT NULL, unseen BIGINT NOT NULL,
            deleted BIGINT NOT NULL, size BIGINT NOT NULL, special_use TEXT, keywords TEXT NOT NULL, deleted_at BIGINT NOT NULL,
            purged_modseq BIGINT NOT NULL, PRIMARY KEY (account_id, mailbox_id)) CLUSTERED
        """,
        """
        CREATE TABLE subscriptions (account_id BIGINT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (account_id, name)) CLUSTERED
        """,
        // Narrow on purpose: a mailbox's index is read from it in one go. The wide part stands in `summaries`.
        """
        CREATE TABLE messages (account_id BIGINT NOT NULL, mailbox_id BIGINT NOT NULL, uid BIGINT NOT NULL, flags BIGINT NOT NULL,
            modseq BIGINT NOT NULL, internal_date BIGINT NOT NULL, size BIGINT NOT NULL, blob BLOB NOT NULL, prefix BLOB NOT NULL,
            PRIMARY KEY (account_id, mailbox_id, uid)) CLUSTERED
        """,
        // The summary of an expunged message stands under the negative number of its mailbox, out of the way of reading.
        """
        CREATE TABLE summaries (account_id BIGINT NOT NULL, mailbox_id BIGINT NOT NULL, uid BIGINT NOT NULL, subject TEXT NOT NULL,
            sender TEXT NOT NULL, recipients_to TEXT NOT NULL, recipients_cc TEXT NOT NULL, recipients_bcc TEXT NOT NULL, message_id TEXT,
            sent_date BIGINT, sent_zone BIGINT NOT NULL, preview TEXT NOT NULL, envelope BLOB NOT NULL, body_structure BLOB NOT NULL,
            PRIMARY KEY (account_id, mailbox_id, uid)) CLUSTERED
        """,
        // A message that is gone: its UID with its MODSEQ, and what undelete needs while `restorable` is 1.
        """
        CREATE TABLE expunged (account_id BIGINT NOT NULL, mailbox_id BIGINT NOT NULL, uid BIGINT NOT NULL, modseq BIGINT NOT NULL,
            expunged_at BIGINT NOT NULL, restorable BIGINT NOT NULL, flags BIGINT NOT NULL, internal_date BIGINT NOT NULL,
            size BIGINT NOT NULL, blob BLOB NOT NULL, prefix BLOB NOT NULL, PRIMARY KEY (account_id, mailbox_id, uid)) CLUSTERED
        """,
        // `refs` counts rows of `messages` and restorable rows of `expunged`. At 0 the bytes wait for compaction.
        """
        CREATE TABLE blobs (shard BIGINT NOT NULL, blob BLOB NOT NULL, segment BIGINT NOT NULL, place BIGINT NOT NULL,
            length BIGINT NOT NULL, refs BIGINT NOT NULL, PRIMARY KEY (shard, blob)) CLUSTERED
        """,
        """
        CREATE TABLE segments (shard BIGINT NOT NULL, segment BIGINT NOT NULL, tail BIGINT NOT NULL, PRIMARY KEY (shard, segment)) CLUSTERED
        """,
        """
        CREATE TABLE records (shard BIGINT NOT NULL, code BIGINT NOT NULL, at BIGINT NOT NULL, kind TEXT NOT NULL, outcome TEXT NOT NULL,
            accepted BIGINT NOT NULL, delivered BIGINT NOT NULL, discarded BIGINT NOT NULL, body BLOB NOT NULL,
            PRIMARY KEY (shard, code)) CLUSTERED
        """,
        // `lookup` is a hash of a message-id or an address: 8 octets keep the index small, the record itself is compared.
        """
        CREATE TABLE record_keys (shard BIGINT NOT NULL, lookup BIGINT NOT NULL, code BIGINT NOT NULL,
            PRIMARY KEY (shard, lookup, code)) CLUSTERED
        """,
        // `purged` holds what records that are no longer kept had counted.
        """
        CREATE TABLE ledger (shard BIGINT NOT NULL, entry TEXT NOT NULL, count BIGINT NOT NULL, purged BIGINT NOT NULL,
            PRIMARY KEY (shard, entry)) CLUSTERED
        """,
    ]
    private static let queue = [
        """
        CREATE TABLE queue_messages (shard BIGINT NOT NULL, code BIGINT NOT NULL, blob BLOB NOT NULL, size BIGINT NOT NULL,
            body TEXT NOT NULL, needs_utf8 BIGINT NOT NULL, envelope_id TEXT, return_content TEXT, lane TEXT NOT NULL,
            queued_at BIGINT NOT NULL, expires_at BIGINT NOT NULL, PRIMARY KEY (shard, code)) CLUSTERED
        """,
        // `lease` is its owner, 0 without one; while it lasts, `next_attempt` is its end. A held recipient is due at 2⁶³ - 1.
        """
        CREATE TABLE queue_recipients (shard BIGINT NOT NULL, code BIGINT NOT NULL, number BIGINT NOT NULL, address TEXT NOT NULL,
            original TEXT NOT NULL, original_recipient TEXT, notify BIGINT NOT NULL, reverse_path TEXT, sender TEXT,
            delivered_to TEXT, destination TEXT NOT NULL, lane TEXT NOT NULL, lease BIGINT NOT NULL, next_attempt BIGINT NOT NULL,
            attempts BIGINT NOT NULL, last_reply TEXT, has_delay_notice BIGINT NOT NULL, PRIMARY KEY (shard, code, number)) CLUSTERED
        """,
        "CREATE INDEX queue_due ON queue_recipients (shard, destination, lane, next_attempt)",
        "CREATE INDEX queue_destinations ON queue_recipients (shard, destination, code)",
        "CREATE INDEX queue_leases ON queue_recipients (shard, lease, destination, lane) WHERE lease <> 0",
        // `next_due` is that of its first recipient, but not before `not_before`.
        """
        CREATE TABLE queue_lanes (shard BIGINT NOT NULL, destination TEXT NOT NULL, lane TEXT NOT NULL, next_due BIGINT NOT NULL,
            not_before BIGINT NOT NULL, recipients BIGINT NOT NULL, PRIMARY KEY (shard, destination, lane)) CLUSTERED
        """,
        "CREATE INDEX queue_lanes_due ON queue_lanes (shard, next_due)",
        """
        CREATE TABLE attempts (shard BIGINT NOT NULL, code BIGINT NOT NULL, at BIGINT NOT NULL, recipient BIGINT NOT NULL,
            body BLOB NOT NULL, PRIMARY KEY (shard, code, at, recipient)) CLUSTERED
        """,
        "ALTER TABLE records ADD COLUMN relayed BIGINT NOT NULL DEFAULT 0",
        "ALTER TABLE records ADD COLUMN bounced BIGINT NOT NULL DEFAULT 0",
    ]
}
