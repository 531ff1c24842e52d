import MartletCore
import MessageFormat
import Testing

@Suite struct MailDateTests {
    @Test(
        "dates are read with their zones",
        arguments: [
            ("Fri, 21 Nov 1997 09:55:06 -0600", "1997-11-21T15:55:06Z", -360),
            ("21 Nov 1997 09:55 +0000", "1997-11-21T09:55:00Z", 0),
            ("Thu,\r\n 13\r\n Feb\r\n  1969\r\n 23:32\r\n -0330 (Newfoundland Time)", "1969-02-14T03:02:00Z", -210),
            ("21 Nov 97 09:55:06 GMT", "1997-11-21T09:55:06Z", 0), ("21 Nov 49 09:55:06 UT", "2049-11-21T09:55:06Z", 0),
            ("21 Nov 50 09:55:06 Z", "1950-11-21T09:55:06Z", 0), ("21 Nov 103 09:55:06 GMT", "2003-11-21T09:55:06Z", 0),
            ("27 Oct 2002 23:57:07 EST", "2002-10-28T04:57:07Z", -300),
            ("27 Oct 2002 23:57:07 PDT", "2002-10-28T06:57:07Z", -420),
            ("27 Oct 2002 23:57:07 EST5EDT", "2002-10-28T04:57:07Z", -300),
            ("27 Oct 2002 23:57:07 XYZ", "2002-10-27T23:57:07Z", 0),
            ("27 Oct 2002 23:57:07", "2002-10-27T23:57:07Z", 0),
            ("27 Oct 2002 23:57:07 -0000", "2002-10-27T23:57:07Z", 0),
            ("1 Jan 2026 00:00:00 +1400", "2025-12-31T10:00:00Z", 840),
            ("1 Jan 2026 00:00:00 +9999", "2026-01-01T00:00:00Z", 0),
            ("30 Jun 2012 23:59:60 +0000", "2012-06-30T23:59:59Z", 0),
            ("Tue, 1 Jul 2003 ((tricky)\n comment) 10:52:37 +0200", "2003-07-01T08:52:37Z", 120),
            ("2 Apr 2020 07:53:55.516 +0000", "2020-04-02T07:53:55Z", 0),
            ("Tue Nov 24 11:41:21 2026", "2026-11-24T11:41:21Z", 0),
            ("Fri Sep 14 14:36:56 EDT 2018", "2018-09-14T18:36:56Z", -240),
            ("Fri Feb 07 10:18:12 2003 -0800", "2003-02-07T18:18:12Z", -480),
            ("1 january 2021 9:05 +0000", "2021-01-01T09:05:00Z", 0),
            ("29 Feb 2024 00:00:00 +0000", "2024-02-29T00:00:00Z", 0),
        ])
    func reads(value: String, instant: String, zone: Int) throws {
        let date = try #require(MailDate.parse(bytes(value)))
        #expect(date.instant.description == instant)
        #expect(date.zoneMinutes == zone)
    }

    @Test(
        "what is no date is nil",
        arguments: [
            "", "yesterday", "1 Jan", "1 Jan 2026", "32 Jan 2026 00:00 GMT", "0 Jan 2026 00:00 GMT",
            "1 Jab 2026 00:00 GMT",
            "1 Jan 2026 24:00 GMT", "1 Jan 2026 00:60 GMT", "1 Jan 2026 00:00:61 GMT", "1 Jan 20266 00:00 GMT",
            "1 Jan 2026 1 GMT",
            "1 Jan 2026 1:2:3:4 GMT", "1 Jan 99999999999999999999 00:00 GMT", "1 Jan 2026 ::",
            "Mon, (1 Jan 2026 00:00:00 GMT",
            "Jan Jan Jan Jan Jan", "Tue Nov 24 11:41:21", ", , , , ,", "1 Jan -1 00:00 GMT",
        ])
    func refuses(value: String) { #expect(MailDate.parse(bytes(value)) == nil) }

    @Test("what is written is read as the same", arguments: [0, 60, -210, 840, -719, 1_439])
    func roundTrip(zone: Int) {
        for seconds: Int64 in [0, 951_782_399, 1_795_520_481, 4_102_444_799] {
            let date = MailDate(instant: Instant(seconds: seconds), zoneMinutes: zone)
            #expect(MailDate.parse(bytes(date.description)) == date)
        }
        #expect(MailDate(instant: Instant(seconds: 1_795_520_481)).description == "Tue, 24 Nov 2026 11:41:21 +0000")
    }
}
