import MessageFormat
import Testing

private func parameters(_ value: String) -> ContentParameters {
    parse("Content-Type: x/y; \(value)\r\n\r\n").root.contentType.parameters
}

@Suite struct ParameterTests {
    @Test(
        "parameters are read through quotes, comments and folds",
        arguments: [
            ("a=b", "a", "b"), ("A=b", "a", "b"), ("a=\"b c\"", "a", "b c"), ("a = b", "a", "b"),
            ("a=\"b\\\"c\"", "a", "b\"c"),
            ("a=(comment)b", "a", "b"), ("a=b(comment)", "a", "b"), ("x=1;\r\n a=b", "a", "b"),
            ("a=\"b\r\n c\"", "a", "b c"),
            ("a=b; a=c", "a", "b"), ("a=\"\"", "a", ""), ("a=b\r\n\tc=d", "c", "d"), (";;a=b;;", "a", "b"),
            ("junk; a=b", "a", "b"), ("=x; a=b", "a", "b"), ("a=\"unclosed; b=c", "a", "unclosed; b=c"),
            ("a=two words.pdf; b=c", "a", "two words.pdf"), ("a=b c=d", "c", "d"), ("a=b c=d", "a", "b"),
            ("a=\u{E9}", "a", "\u{E9}"),
        ])
    func plain(value: String, name: String, expected: String) { #expect(parameters(value).decoded(name) == expected) }

    @Test(
        "RFC 2231: pieces, charsets, and both",
        arguments: [
            ("t*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A", "This is ***fun***"),
            (
                "t*0*=us-ascii'en'This%20is%20even%20more%20; t*1*=%2A%2A%2Afun%2A%2A%2A%20; t*2=\"isn't it!\"",
                "This is even more ***fun*** isn't it!"
            ),
            ("t*0=one; t*1=two", "onetwo"), ("t*1=two; t*0=one", "onetwo"), ("t*=utf-8''%e2%82%ac", "\u{20AC}"),
            ("t*0*=utf-8''%e2%82; t*1*=%ac", "\u{20AC}"), ("t*=iso-8859-1''%A3", "\u{A3}"), ("t*=nobody''a%41", "aA"),
            ("t*=''a%41", "aA"), ("t*=no quotes", "no quotes"), ("t*=utf-8'onequote", "utf-8'onequote"),
            ("t=plain; t*=utf-8''extended", "extended"), ("t=plain; t*0=piece", "piece"), ("t*0=a; t*2=c", "a"),
            ("t*=utf-8''%", "%"), ("t*=utf-8''%4", "%4"), ("t*=utf-8''%zz", "%zz"),
            ("t=\"=?utf-8?Q?caf=C3=A9?=\"", "caf\u{E9}"), ("t==?utf-8?Q?caf=C3=A9?=", "caf\u{E9}"),
            ("t*0==?utf-8?Q?caf; t*1==C3=A9?=", "caf\u{E9}"),
        ])
    func extended(value: String, expected: String) { #expect(parameters(value).decoded("t") == expected) }

    @Test(
        "a name that is not there, and pieces that do not begin at 0, are nil",
        arguments: ["u=x", "t*1=x", "t*x=1", "t**=x", ""])
    func absent(value: String) { #expect(parameters(value).decoded("t") == nil) }

    @Test(
        "a file name comes from the disposition, else from the type",
        arguments: [
            ("Content-Disposition: attachment; filename=a.txt\r\nContent-Type: x/y; name=b.txt", "a.txt"),
            ("Content-Disposition: attachment\r\nContent-Type: x/y; name=b.txt", "b.txt"),
            ("Content-Type: x/y; name*=utf-8''%C3%BC.txt", "\u{FC}.txt"), ("Content-Type: x/y", nil),
        ] as [(String, String?)])
    func fileNames(header: String, expected: String?) { #expect(parse(header + "\r\n\r\n").root.fileName == expected) }
}
