public import MessageFormat

extension StoredSummary {
    /// What the store keeps of a message's summary.
    public init(_ summary: MessageSummary) {
        self.init(
            envelope: summary.envelope, bodyStructure: summary.bodyStructure, subject: summary.subject,
            from: summary.from, to: summary.to,
            cc: summary.cc, bcc: summary.bcc, messageID: summary.messageID, sentDate: summary.sentDate,
            sentZoneMinutes: summary.sentZoneMinutes, preview: summary.preview)
    }
}
