/// Every statement of the store, once. Engines prepare each on first use and keep it.
enum SQL: Int, CaseIterable {
    // Settings and directory
    case getSetting, putSetting
    case allDomains, putDomain, removeDomain
    case allAliases, putAlias, removeAlias
    case allAccounts, insertAccount, updateAccount, removeAccount, updateAccountCounters
    case credentialsOfAccount, putCredential, removeCredential, removeCredentialsOfAccount, bumpCredentialGeneration,
        touchCredential
    // Mailboxes
    case usageOfAccounts, mailboxesOfAccount, accountCounters, insertMailbox, updateMailbox, removeMailboxRow,
        removeMailboxesOfAccount
    case subscriptionsOfAccount, insertSubscription, removeSubscription, removeSubscriptionsOfAccount
    // Messages
    case insertMessage, indexOfMailbox, flagsOfMailbox, messageRow, flagsOfMessage, updateFlags, deleteMessage,
        blobsOfAccount, removeMessagesOfAccount
    case insertSummary, summaryOfMessage, scanSummaries, copySummary, moveSummary, removeSummary,
        removeSummariesOfAccount
    case entriesOfMailbox, deletedOfMailbox
    // Expunged
    case insertExpunged, expungedSince, expungedOfAccount, expungedRow, setNotRestorable, removeExpungedOfAccount
    case expiredExpunged, removeExpunged, anyExpunged, forgettableMailboxes
    // Blobs
    case getBlob, insertBlob, addBlobReferences, allBlobs
    case segmentTails, putSegment, removeSegment, moveBlob, forgetBlob, segmentsOfBlobs
    // Records and ledger
    case insertRecord, insertRecordKey, addLedger, allLedger, recountRecords, recordByCode, recordsByKey, recordsByTime
    case recordsBefore, removeRecord, removeRecordKey, purgeLedger
    case addRecordOutcomes, insertAttempt, attemptsOfRecord, removeAttempts
    // Queue
    case insertQueuedMessage, queuedMessage, removeQueuedMessage, removeSettledMessage, queuedMessagesFrom,
        codesOfDestination, codesOfDestinationFrom
    case insertQueuedRecipient, queuedRecipients, queuedRecipient, dueInLane, dueOfMessage, leaseRecipient,
        retryRecipient,
        moveRecipient, removeQueuedRecipient, anyQueuedRecipient, endLeases, leasedLanes
    case lane, putLane, removeLane, firstDueInLane, dueLanes, nextDueLanes, postponeLanes, postponementOfDestination,
        wakeLane
    case countQueuedMessages, countQueuedRecipients, countHeld, countLeased, oldestQueued, largestDestinations,
        recountLanes,
        recipientsOutOfPlace, messagesWithoutRecipient
    // Transactions
    case begin, commit, rollback, savepoint, rollbackToSavepoint, release
    // Verification
    case recountMailboxes, allBlobReferences, messagesWithoutSummary, messagesOfOtherSize
    // Repair and backup
    case recountMailbox, placesOfBlobs, expungedPlacesOfBlobs, queuePlacesOfBlobs, highestExpunged, setMessageSize,
        recountLane,
        laneOfMessage, moveToLane, insertMissingSummary, rowCounts, countWaiting
    case holdQueue, holdLanes, renewUIDValidities, renewLastUIDValidities

    var text: String {
        switch self {
        case .getSetting: "SELECT value FROM settings WHERE shard = ? AND name = ?"
        case .putSetting:
            "INSERT INTO settings (shard, name, value) VALUES (?, ?, ?) ON CONFLICT (shard, name) DO UPDATE SET value = excluded.value"

        case .allDomains: "SELECT domain, catch_all, separator FROM domains ORDER BY domain"
        case .putDomain:
            """
            INSERT INTO domains (domain, catch_all, separator) VALUES (?, ?, ?)
            ON CONFLICT (domain) DO UPDATE SET catch_all = excluded.catch_all, separator = excluded.separator
            """
        case .removeDomain: "DELETE FROM domains WHERE domain = ?"
        case .allAliases: "SELECT address, targets FROM aliases ORDER BY domain, local_part"
        case .putAlias:
            """
            INSERT INTO aliases (domain, local_part, address, targets) VALUES (?, ?, ?, ?)
            ON CONFLICT (domain, local_part) DO UPDATE SET address = excluded.address, targets = excluded.targets
            """
        case .removeAlias: "DELETE FROM aliases WHERE domain = ? AND local_part = ?"
        case .allAccounts:
            """
            SELECT account_id, address, display_name, quota, is_administrator, is_suspended, credential_generation
            FROM accounts ORDER BY account_id
            """
        case .insertAccount:
            """
            INSERT INTO accounts (account_id, address, display_name, quota, is_administrator, is_suspended, credential_generation,
                next_mailbox, last_uid_validity, created_at) VALUES (?, ?, ?, ?, ?, 0, 0, ?, ?, ?)
            """
        case .updateAccount:
            "UPDATE accounts SET display_name = ?, quota = ?, is_administrator = ?, is_suspended = ? WHERE account_id = ?"
        case .removeAccount: "DELETE FROM accounts WHERE account_id = ?"
        case .updateAccountCounters: "UPDATE accounts SET next_mailbox = ?, last_uid_validity = ? WHERE account_id = ?"
        case .credentialsOfAccount:
            """
            SELECT number, label, argon2id, sha256_salt, sha256_iterations, sha256_stored, sha256_server, sha1_salt, sha1_iterations,
                sha1_stored, sha1_server, created_at, last_used_at FROM credentials WHERE account_id = ? ORDER BY number
            """
        case .putCredential:
            """
            INSERT INTO credentials (account_id, number, label, argon2id, sha256_salt, sha256_iterations, sha256_stored, sha256_server,
                sha1_salt, sha1_iterations, sha1_stored, sha1_server, created_at, last_used_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (account_id, number) DO UPDATE SET label = excluded.label, argon2id = excluded.argon2id,
                sha256_salt = excluded.sha256_salt, sha256_iterations = excluded.sha256_iterations, sha256_stored = excluded.sha256_stored,
                sha256_server = excluded.sha256_server, sha1_salt = excluded.sha1_salt, sha1_iterations = excluded.sha1_iterations,
                sha1_stored = excluded.sha1_stored, sha1_server = excluded.sha1_server, created_at = excluded.created_at,
                last_used_at = excluded.last_used_at
            """
        case .removeCredential: "DELETE FROM credentials WHERE account_id = ? AND number = ?"
        case .removeCredentialsOfAccount: "DELETE FROM credentials WHERE account_id = ?"
        case .bumpCredentialGeneration: "UPDATE accounts SET credential_generation = ? WHERE account_id = ?"
        case .touchCredential: "UPDATE credentials SET last_used_at = ? WHERE account_id = ? AND number = ?"

        case .usageOfAccounts:
            "SELECT account_id, CAST(SUM(messages) AS BIGINT), CAST(SUM(size) AS BIGINT) FROM mailboxes WHERE deleted_at = 0 GROUP BY account_id"
        case .mailboxesOfAccount:
            """
            SELECT mailbox_id, name, uid_validity, uid_next, highest_modseq, messages, unseen, deleted, size, special_use, keywords,
                deleted_at, purged_modseq FROM mailboxes WHERE account_id = ?
            """
        case .accountCounters: "SELECT next_mailbox, last_uid_validity FROM accounts WHERE account_id = ?"
        case .insertMailbox:
            """
            INSERT INTO mailboxes (account_id, mailbox_id, name, uid_validity, uid_next, highest_modseq, messages, unseen, deleted, size,
                special_use, keywords, deleted_at, purged_modseq) VALUES (?, ?, ?, ?, 1, 1, 0, 0, 0, 0, ?, '', 0, 0)
            """
        case .updateMailbox:
            """
            UPDATE mailboxes SET name = ?, uid_next = ?, highest_modseq = ?, messages = ?, unseen = ?, deleted = ?, size = ?,
                special_use = ?, keywords = ?, deleted_at = ?, purged_modseq = ? WHERE account_id = ? AND mailbox_id = ?
            """
        case .removeMailboxRow: "DELETE FROM mailboxes WHERE account_id = ? AND mailbox_id = ?"
        case .removeMailboxesOfAccount: "DELETE FROM mailboxes WHERE account_id = ?"
        case .subscriptionsOfAccount: "SELECT name FROM subscriptions WHERE account_id = ? ORDER BY name"
        case .insertSubscription:
            "INSERT INTO subscriptions (account_id, name) VALUES (?, ?) ON CONFLICT (account_id, name) DO NOTHING"
        case .removeSubscription: "DELETE FROM subscriptions WHERE account_id = ? AND name = ?"
        case .removeSubscriptionsOfAccount: "DELETE FROM subscriptions WHERE account_id = ?"

        case .insertMessage:
            """
            INSERT INTO messages (account_id, mailbox_id, uid, flags, modseq, internal_date, size, blob, prefix)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            """
        case .indexOfMailbox:
            """
            SELECT uid, flags, modseq, internal_date, size FROM messages WHERE account_id = ? AND mailbox_id = ?
            ORDER BY account_id, mailbox_id, uid
            """
        case .flagsOfMailbox:
            """
            SELECT flags FROM messages WHERE account_id = ? AND mailbox_id = ?
            UNION ALL SELECT flags FROM expunged WHERE account_id = ? AND mailbox_id = ? AND restorable = 1
            """
        case .messageRow:
            "SELECT flags, modseq, internal_date, size, blob, prefix FROM messages WHERE account_id = ? AND mailbox_id = ? AND uid = ?"
        case .flagsOfMessage:
            "SELECT flags, modseq, internal_date, size FROM messages WHERE account_id = ? AND mailbox_id = ? AND uid = ?"
        case .updateFlags:
            "UPDATE messages SET flags = ?, modseq = ? WHERE account_id = ? AND mailbox_id = ? AND uid = ?"
        case .deleteMessage: "DELETE FROM messages WHERE account_id = ? AND mailbox_id = ? AND uid = ?"
        case .blobsOfAccount:
            """
            SELECT blob FROM messages WHERE account_id = ? UNION ALL SELECT blob FROM expunged WHERE account_id = ? AND restorable = 1
            """
        case .removeMessagesOfAccount: "DELETE FROM messages WHERE account_id = ?"
        case .insertSummary:
            """
            INSERT INTO summaries (account_id, mailbox_id, uid, subject, sender, recipients_to, recipients_cc, recipients_bcc, message_id,
                sent_date, sent_zone, preview, envelope, body_structure) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """
        case .summaryOfMessage:
            """
            SELECT uid, subject, sender, recipients_to, recipients_cc, recipients_bcc, message_id, sent_date, sent_zone, preview, envelope,
                body_structure FROM summaries WHERE account_id = ? AND mailbox_id = ? AND uid = ?
            """
        case .scanSummaries:
            """
            SELECT uid, subject, sender, recipients_to, recipients_cc, recipients_bcc, message_id, sent_date, sent_zone, preview
            FROM summaries WHERE account_id = ? AND mailbox_id = ? AND uid >= ? AND uid <= ?
            ORDER BY account_id, mailbox_id, uid LIMIT ?
            """
        case .copySummary:
            """
            INSERT INTO summaries (account_id, mailbox_id, uid, subject, sender, recipients_to, recipients_cc, recipients_bcc, message_id,
                sent_date, sent_zone, preview, envelope, body_structure)
            SELECT ?, ?, ?, subject, sender, recipients_to, recipients_cc, recipients_bcc, message_id, sent_date, sent_zone, preview,
                envelope, body_structure FROM summaries WHERE account_id = ? AND mailbox_id = ? AND uid = ?
            """
        case .moveSummary:
            "UPDATE summaries SET account_id = ?, mailbox_id = ?, uid = ? WHERE account_id = ? AND mailbox_id = ? AND uid = ?"
        case .removeSummary: "DELETE FROM summaries WHERE account_id = ? AND mailbox_id = ? AND uid = ?"
        case .removeSummariesOfAccount: "DELETE FROM summaries WHERE account_id = ?"
        case .entriesOfMailbox:
            "SELECT uid FROM messages WHERE account_id = ? AND mailbox_id = ? ORDER BY account_id, mailbox_id, uid"
        case .deletedOfMailbox:
            """
            SELECT uid FROM messages WHERE account_id = ? AND mailbox_id = ? AND (flags & 8) <> 0 ORDER BY account_id, mailbox_id, uid
            """

        case .insertExpunged:
            """
            INSERT INTO expunged (account_id, mailbox_id, uid, modseq, expunged_at, restorable, flags, internal_date, size, blob, prefix)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """
        case .expungedSince:
            "SELECT uid FROM expunged WHERE account_id = ? AND mailbox_id = ? AND modseq > ? AND modseq <= ? ORDER BY uid"
        case .expungedOfAccount:
            """
            SELECT e.mailbox_id, e.uid, e.expunged_at, e.size, s.subject, s.sender, m.name FROM expunged e
            JOIN summaries s ON s.account_id = e.account_id AND s.mailbox_id = -e.mailbox_id AND s.uid = e.uid
            JOIN mailboxes m ON m.account_id = e.account_id AND m.mailbox_id = e.mailbox_id
            WHERE e.account_id = ? AND e.restorable = 1 ORDER BY e.expunged_at DESC, e.mailbox_id DESC, e.uid DESC LIMIT ?
            """
        case .expungedRow:
            """
            SELECT flags, internal_date, size, blob, prefix FROM expunged
            WHERE account_id = ? AND mailbox_id = ? AND uid = ? AND restorable = 1
            """
        case .setNotRestorable: "UPDATE expunged SET restorable = 0 WHERE account_id = ? AND mailbox_id = ? AND uid = ?"
        case .removeExpungedOfAccount: "DELETE FROM expunged WHERE account_id = ?"
        case .expiredExpunged:
            """
            SELECT account_id, mailbox_id, uid, modseq FROM expunged
            WHERE expunged_at < ? AND (account_id, mailbox_id, uid) > (?, ?, ?) ORDER BY account_id, mailbox_id, uid LIMIT ?
            """
        case .removeExpunged: "DELETE FROM expunged WHERE account_id = ? AND mailbox_id = ? AND uid = ?"
        case .forgettableMailboxes:
            """
            SELECT m.account_id, m.mailbox_id FROM mailboxes m WHERE m.deleted_at <> 0 AND m.deleted_at < ?
            AND NOT EXISTS (SELECT 1 FROM expunged e WHERE e.account_id = m.account_id AND e.mailbox_id = m.mailbox_id) LIMIT ?
            """
        case .anyExpunged: "SELECT 1 FROM expunged WHERE account_id = ? AND mailbox_id = ? LIMIT 1"

        case .getBlob: "SELECT segment, place, length, refs FROM blobs WHERE shard = ? AND blob = ?"
        case .insertBlob: "INSERT INTO blobs (shard, blob, segment, place, length, refs) VALUES (?, ?, ?, ?, ?, ?)"
        case .addBlobReferences: "UPDATE blobs SET refs = refs + ? WHERE shard = ? AND blob = ?"
        case .allBlobs:
            "SELECT blob, segment, place, length, refs FROM blobs WHERE shard = ? AND blob > ? ORDER BY shard, blob LIMIT ?"
        case .segmentTails: "SELECT segment, tail FROM segments WHERE shard = ? ORDER BY segment"
        case .removeSegment: "DELETE FROM segments WHERE shard = ? AND segment = ?"
        case .moveBlob:
            "UPDATE blobs SET segment = ?, place = ? WHERE shard = ? AND blob = ? AND segment = ? AND place = ?"
        case .forgetBlob: "DELETE FROM blobs WHERE shard = ? AND blob = ? AND refs = 0"
        case .segmentsOfBlobs: "SELECT DISTINCT segment FROM blobs WHERE shard = ?"
        case .putSegment:
            "INSERT INTO segments (shard, segment, tail) VALUES (?, ?, ?) ON CONFLICT (shard, segment) DO UPDATE SET tail = excluded.tail"

        case .insertRecord:
            """
            INSERT INTO records (shard, code, at, kind, outcome, accepted, delivered, discarded, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (shard, code) DO NOTHING
            """
        case .insertRecordKey:
            "INSERT INTO record_keys (shard, lookup, code) VALUES (?, ?, ?) ON CONFLICT (shard, lookup, code) DO NOTHING"
        case .addLedger:
            """
            INSERT INTO ledger (shard, entry, count, purged) VALUES (?, ?, ?, 0)
            ON CONFLICT (shard, entry) DO UPDATE SET count = ledger.count + excluded.count
            """
        case .allLedger: "SELECT entry, count, purged FROM ledger WHERE shard = ?"
        case .recountRecords:
            """
            SELECT CAST(COALESCE(SUM(accepted), 0) AS BIGINT), CAST(COALESCE(SUM(delivered), 0) AS BIGINT),
                CAST(COALESCE(SUM(discarded), 0) AS BIGINT), CAST(COALESCE(SUM(relayed), 0) AS BIGINT),
                CAST(COALESCE(SUM(bounced), 0) AS BIGINT) FROM records WHERE shard = ?
            """
        case .recordByCode: "SELECT code, body FROM records WHERE shard = ? AND code = ?"
        case .recordsByKey:
            """
            SELECT r.code, r.body FROM record_keys k JOIN records r ON r.shard = k.shard AND r.code = k.code
            WHERE k.shard = ? AND k.lookup = ? AND k.code <= ? ORDER BY k.code DESC LIMIT ?
            """
        case .recordsByTime: "SELECT code, body FROM records WHERE shard = ? AND code <= ? ORDER BY code DESC LIMIT ?"
        case .recordsBefore:
            """
            SELECT code, at, accepted, delivered, discarded, relayed, bounced, body FROM records
            WHERE shard = ? AND code > ? AND code < ? ORDER BY code LIMIT ?
            """
        case .removeRecord: "DELETE FROM records WHERE shard = ? AND code = ?"
        case .removeRecordKey: "DELETE FROM record_keys WHERE shard = ? AND lookup = ? AND code = ?"
        case .purgeLedger:
            """
            INSERT INTO ledger (shard, entry, count, purged) VALUES (?, ?, 0, ?)
            ON CONFLICT (shard, entry) DO UPDATE SET purged = ledger.purged + excluded.purged
            """

        case .addRecordOutcomes:
            """
            UPDATE records SET relayed = relayed + ?, bounced = bounced + ?, discarded = discarded + ? WHERE shard = ? AND code = ?
            """
        case .insertAttempt:
            """
            INSERT INTO attempts (shard, code, at, recipient, body) SELECT shard, code, ?, ?, ? FROM records
            WHERE shard = ? AND code = ? ON CONFLICT (shard, code, at, recipient) DO NOTHING
            """
        case .attemptsOfRecord: "SELECT body FROM attempts WHERE shard = ? AND code = ? ORDER BY at, recipient LIMIT ?"
        case .removeAttempts: "DELETE FROM attempts WHERE shard = ? AND code = ?"

        case .insertQueuedMessage:
            """
            INSERT INTO queue_messages (shard, code, blob, size, body, needs_utf8, envelope_id, return_content, lane, queued_at,
                expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """
        case .queuedMessage:
            """
            SELECT code, blob, size, body, needs_utf8, envelope_id, return_content, lane, queued_at, expires_at FROM queue_messages
            WHERE shard = ? AND code = ?
            """
        case .queuedMessagesFrom:
            """
            SELECT code, blob, size, body, needs_utf8, envelope_id, return_content, lane, queued_at, expires_at FROM queue_messages
            WHERE shard = ? AND code > ? ORDER BY shard, code LIMIT ?
            """
        case .codesOfDestinationFrom:
            """
            SELECT DISTINCT code FROM queue_recipients WHERE shard = ? AND destination = ? AND code > ? ORDER BY code LIMIT ?
            """
        case .codesOfDestination:
            "SELECT code FROM queue_recipients WHERE shard = ? AND destination = ? ORDER BY shard, destination, code"
        case .removeQueuedMessage: "DELETE FROM queue_messages WHERE shard = ? AND code = ?"
        case .removeSettledMessage:
            """
            DELETE FROM queue_messages WHERE shard = ? AND code = ?
            AND NOT EXISTS (SELECT 1 FROM queue_recipients WHERE shard = ? AND code = ?) RETURNING blob
            """
        case .insertQueuedRecipient:
            """
            INSERT INTO queue_recipients (shard, code, number, address, original, original_recipient, notify, reverse_path, sender,
                delivered_to, destination, lane, lease, next_attempt, attempts, last_reply, has_delay_notice)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """
        case .queuedRecipients:
            """
            SELECT number, address, original, original_recipient, notify, reverse_path, sender, destination, lease, next_attempt,
                attempts, last_reply, has_delay_notice, delivered_to FROM queue_recipients WHERE shard = ? AND code = ? ORDER BY shard, code, number
            """
        case .queuedRecipient:
            "SELECT destination, lane, lease FROM queue_recipients WHERE shard = ? AND code = ? AND number = ?"
        case .dueInLane:
            """
            SELECT code FROM queue_recipients WHERE shard = ? AND destination = ? AND lane = ? AND next_attempt <= ?
            ORDER BY shard, destination, lane, next_attempt
            """
        case .dueOfMessage:
            """
            SELECT number, address, original, original_recipient, notify, reverse_path, sender, destination, lease, next_attempt,
                attempts, last_reply, has_delay_notice, delivered_to FROM queue_recipients
            WHERE shard = ? AND code = ? AND next_attempt <= ? AND destination = ? ORDER BY shard, code, number
            """
        case .leaseRecipient:
            "UPDATE queue_recipients SET lease = ?, next_attempt = ? WHERE shard = ? AND code = ? AND number = ?"
        case .retryRecipient:
            """
            UPDATE queue_recipients SET lease = 0, next_attempt = ?, attempts = attempts + 1, last_reply = ?, has_delay_notice = ?
            WHERE shard = ? AND code = ? AND number = ?
            """
        case .moveRecipient:
            "UPDATE queue_recipients SET lease = 0, next_attempt = ? WHERE shard = ? AND code = ? AND number = ?"
        case .removeQueuedRecipient: "DELETE FROM queue_recipients WHERE shard = ? AND code = ? AND number = ?"
        case .anyQueuedRecipient: "SELECT 1 FROM queue_recipients WHERE shard = ? AND code = ? LIMIT 1"
        case .leasedLanes:
            "SELECT destination, lane FROM queue_recipients WHERE shard = ? AND lease <> 0 AND lease <> ?"
        case .endLeases:
            "UPDATE queue_recipients SET lease = 0, next_attempt = ? WHERE shard = ? AND lease <> 0 AND lease <> ?"
        case .lane:
            "SELECT next_due, not_before, recipients FROM queue_lanes WHERE shard = ? AND destination = ? AND lane = ?"
        case .putLane:
            """
            INSERT INTO queue_lanes (shard, destination, lane, next_due, not_before, recipients) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (shard, destination, lane) DO UPDATE SET next_due = excluded.next_due, not_before = excluded.not_before,
                recipients = excluded.recipients
            """
        case .removeLane: "DELETE FROM queue_lanes WHERE shard = ? AND destination = ? AND lane = ?"
        case .firstDueInLane:
            """
            SELECT next_attempt FROM queue_recipients WHERE shard = ? AND destination = ? AND lane = ?
            ORDER BY shard, destination, lane, next_attempt LIMIT 1
            """
        case .dueLanes:
            "SELECT destination, lane FROM queue_lanes WHERE shard = ? AND next_due <= ? ORDER BY shard, next_due"
        case .nextDueLanes:
            "SELECT destination, lane, next_due FROM queue_lanes WHERE shard = ? ORDER BY shard, next_due"
        case .postponeLanes:
            """
            UPDATE queue_lanes SET not_before = ?, next_due = CASE WHEN next_due < ? THEN ? ELSE next_due END
            WHERE shard = ? AND destination = ? AND not_before < ?
            """
        case .postponementOfDestination:
            """
            SELECT not_before FROM queue_lanes WHERE shard = ? AND destination = ? ORDER BY shard, destination, lane LIMIT 1
            """
        case .wakeLane:
            "UPDATE queue_lanes SET not_before = 0 WHERE shard = ? AND destination = ? AND lane = ?"
        case .countQueuedMessages: "SELECT COUNT(*) FROM queue_messages WHERE shard = ?"
        case .countQueuedRecipients:
            "SELECT CAST(COALESCE(SUM(recipients), 0) AS BIGINT) FROM queue_lanes WHERE shard = ?"
        case .countHeld: "SELECT COUNT(*) FROM queue_recipients WHERE shard = ? AND next_attempt = ?"
        case .countLeased: "SELECT COUNT(*) FROM queue_recipients WHERE shard = ? AND lease <> 0"
        case .oldestQueued: "SELECT queued_at FROM queue_messages WHERE shard = ? ORDER BY shard, code LIMIT 1"
        case .largestDestinations:
            """
            SELECT destination, CAST(SUM(recipients) AS BIGINT), MIN(next_due) FROM queue_lanes WHERE shard = ?
            GROUP BY destination ORDER BY 2 DESC, destination LIMIT 100
            """
        case .recountLanes:
            """
            SELECT destination, lane, recipients, found, next_due, due FROM (
                SELECT l.destination, l.lane, l.recipients, COUNT(r.code) AS found, l.next_due,
                    CASE WHEN MIN(r.next_attempt) > l.not_before THEN MIN(r.next_attempt) ELSE l.not_before END AS due
                FROM queue_lanes l
                LEFT JOIN queue_recipients r ON r.shard = l.shard AND r.destination = l.destination AND r.lane = l.lane
                WHERE l.shard = ? GROUP BY l.destination, l.lane, l.recipients, l.next_due, l.not_before) AS lanes
            WHERE found <> recipients OR next_due <> due LIMIT 1000
            """
        case .recipientsOutOfPlace:
            """
            SELECT r.code, r.number FROM queue_recipients r LEFT JOIN queue_messages m ON m.shard = r.shard AND m.code = r.code
            LEFT JOIN queue_lanes l ON l.shard = r.shard AND l.destination = r.destination AND l.lane = r.lane
            WHERE r.shard = ? AND (m.code IS NULL OR l.lane IS NULL OR m.lane <> r.lane) LIMIT 1000
            """
        case .messagesWithoutRecipient:
            """
            SELECT m.code FROM queue_messages m WHERE m.shard = ?
            AND NOT EXISTS (SELECT 1 FROM queue_recipients r WHERE r.shard = m.shard AND r.code = m.code) LIMIT 1000
            """

        case .begin: "BEGIN"
        case .commit: "COMMIT"
        case .rollback: "ROLLBACK"
        case .savepoint: "SAVEPOINT operation"
        case .rollbackToSavepoint: "ROLLBACK TO SAVEPOINT operation"
        case .release: "RELEASE SAVEPOINT operation"

        case .recountMailboxes:
            """
            SELECT m.account_id, m.mailbox_id, m.name, m.messages, m.unseen, m.deleted, m.size, m.uid_next, m.highest_modseq,
                COUNT(x.uid), COALESCE(SUM(CASE WHEN (x.flags & 1) = 0 THEN 1 ELSE 0 END), 0),
                COALESCE(SUM(CASE WHEN (x.flags & 8) <> 0 THEN 1 ELSE 0 END), 0), CAST(COALESCE(SUM(x.size), 0) AS BIGINT),
                COALESCE(MAX(x.uid), 0),
                COALESCE(MAX(x.modseq), 0)
            FROM mailboxes m LEFT JOIN messages x ON x.account_id = m.account_id AND x.mailbox_id = m.mailbox_id
            GROUP BY m.account_id, m.mailbox_id, m.name, m.messages, m.unseen, m.deleted, m.size, m.uid_next, m.highest_modseq
            """
        case .messagesWithoutSummary:
            """
            SELECT x.account_id, x.mailbox_id, x.uid FROM messages x LEFT JOIN summaries s
            ON s.account_id = x.account_id AND s.mailbox_id = x.mailbox_id AND s.uid = x.uid WHERE s.uid IS NULL LIMIT 1000
            """
        case .messagesOfOtherSize:
            """
            SELECT x.account_id, x.mailbox_id, x.uid FROM messages x JOIN blobs b ON b.shard = ? AND b.blob = x.blob
            WHERE x.size <> b.length + LENGTH(x.prefix) LIMIT 1000
            """
        case .allBlobReferences:
            """
            SELECT blob FROM messages UNION ALL SELECT blob FROM expunged WHERE restorable = 1
            UNION ALL SELECT blob FROM queue_messages
            """

        case .recountMailbox:
            """
            SELECT COUNT(*), COALESCE(SUM(CASE WHEN (flags & 1) = 0 THEN 1 ELSE 0 END), 0),
                COALESCE(SUM(CASE WHEN (flags & 8) <> 0 THEN 1 ELSE 0 END), 0), CAST(COALESCE(SUM(size), 0) AS BIGINT),
                COALESCE(MAX(uid), 0), COALESCE(MAX(modseq), 0) FROM messages WHERE account_id = ? AND mailbox_id = ?
            """
        case .highestExpunged:
            """
            SELECT COALESCE(MAX(uid), 0), COALESCE(MAX(modseq), 0) FROM expunged WHERE account_id = ? AND mailbox_id = ?
            """
        case .placesOfBlobs: "SELECT account_id, mailbox_id, uid, blob FROM messages"
        case .expungedPlacesOfBlobs: "SELECT account_id, mailbox_id, uid, blob FROM expunged WHERE restorable = 1"
        case .queuePlacesOfBlobs: "SELECT code, blob FROM queue_messages WHERE shard = ?"
        case .setMessageSize: "UPDATE messages SET size = ? WHERE account_id = ? AND mailbox_id = ? AND uid = ?"
        case .recountLane:
            "SELECT COUNT(*) FROM queue_recipients WHERE shard = ? AND destination = ? AND lane = ?"
        case .laneOfMessage: "SELECT lane FROM queue_messages WHERE shard = ? AND code = ?"
        case .moveToLane: "UPDATE queue_recipients SET lane = ? WHERE shard = ? AND code = ? AND number = ?"
        case .insertMissingSummary:
            """
            INSERT INTO summaries (account_id, mailbox_id, uid, subject, sender, recipients_to, recipients_cc, recipients_bcc, message_id,
                sent_date, sent_zone, preview, envelope, body_structure) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (account_id, mailbox_id, uid) DO NOTHING
            """
        case .rowCounts:
            """
            SELECT (SELECT COUNT(*) FROM accounts), (SELECT COUNT(*) FROM mailboxes), (SELECT COUNT(*) FROM messages),
                (SELECT COUNT(*) FROM summaries), (SELECT COUNT(*) FROM expunged), (SELECT COUNT(*) FROM blobs),
                (SELECT COUNT(*) FROM records), (SELECT COUNT(*) FROM queue_recipients)
            """
        case .countWaiting: "SELECT COUNT(*) FROM queue_recipients WHERE shard = ? AND next_attempt <> ?"
        case .holdQueue: "UPDATE queue_recipients SET lease = 0, next_attempt = ? WHERE shard = ?"
        case .holdLanes: "UPDATE queue_lanes SET next_due = ? WHERE shard = ?"
        case .renewUIDValidities:
            """
            UPDATE mailboxes SET uid_validity = mailbox_id + (SELECT CASE WHEN a.last_uid_validity > ? THEN a.last_uid_validity ELSE ? END
                FROM accounts a WHERE a.account_id = mailboxes.account_id)
            """
        case .renewLastUIDValidities:
            """
            UPDATE accounts SET last_uid_validity = next_mailbox + CASE WHEN last_uid_validity > ? THEN last_uid_validity ELSE ? END
            """
        }
    }
}
