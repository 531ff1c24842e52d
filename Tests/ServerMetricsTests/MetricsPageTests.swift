import Testing

import ServerMetrics

@Suite("The page for Prometheus")
struct MetricsPageTests {
    @Test("A family has its help, its type and its samples, in this order")
    func family() {
        var page = MetricsPage()
        page.family(
            "martlet_connections_total", .counter, "Connections.",
            [
                (labels: [(name: "service", value: "smtp")], value: 3),
                (labels: [(name: "service", value: "imap"), (name: "tls", value: "yes")], value: 0),
            ])
        page.single("martlet_ready", .gauge, "Whether.", 1)
        #expect(
            page.text == """
                # HELP martlet_connections_total Connections.
                # TYPE martlet_connections_total counter
                martlet_connections_total{service="smtp"} 3
                martlet_connections_total{service="imap",tls="yes"} 0
                # HELP martlet_ready Whether.
                # TYPE martlet_ready gauge
                martlet_ready 1

                """)
    }

    @Test("What is not known is left out, with its help")
    func unknown() {
        var page = MetricsPage()
        page.single("a", .gauge, "A.", nil)
        page.family("b", .gauge, "B.", [])
        page.histograms("c", "C.", [])
        #expect(page.text.isEmpty)
    }

    @Test("Backslashes, line ends and quotation marks are escaped where the format wants it")
    func escaping() {
        var page = MetricsPage()
        page.family("a", .gauge, "One\\two\n\"three\"", [(labels: [(name: "l", value: "x\\y\n\"z\"ä")], value: 1)])
        #expect(page.text == "# HELP a One\\\\two\\n\"three\"\n# TYPE a gauge\na{l=\"x\\\\y\\n\\\"z\\\"ä\"} 1\n")
    }

    @Test(
        "Numbers are written as the format reads them",
        arguments: [
            (0.0, "0"), (-3, "-3"), (0.25, "0.25"), (1e16, "1e+16"), (123_456_789_012, "123456789012"),
            (.infinity, "+Inf"), (-.infinity, "-Inf"), (.nan, "NaN"), (0.0005, "0.0005"),
        ] as [(Double, String)])
    func numbers(_ value: Double, _ expected: String) { #expect(MetricsPage.number(value) == expected) }

    @Test("A histogram counts up to each bound, and all")
    func histogram() {
        let histogram = Histogram(bounds: [0.01, 1])
        for duration in [Duration.milliseconds(1), .milliseconds(10), .milliseconds(500), .seconds(5)] {
            histogram.observe(duration)
        }
        histogram.observe(.seconds(-1))
        let snapshot = histogram.snapshot
        #expect(snapshot.cumulative == [3, 4, 5])
        #expect(snapshot.count == 5)
        #expect(abs(snapshot.sum - 5.511) < 1e-6)
        var page = MetricsPage()
        page.histograms("h_seconds", "H.", [(labels: [(name: "k", value: "v")], snapshot)])
        #expect(
            page.text == """
                # HELP h_seconds H.
                # TYPE h_seconds histogram
                h_seconds_bucket{k="v",le="0.01"} 3
                h_seconds_bucket{k="v",le="1"} 4
                h_seconds_bucket{k="v",le="+Inf"} 5
                h_seconds_sum{k="v"} 5.511
                h_seconds_count{k="v"} 5

                """)
    }

    @Test("Counters add up from many threads")
    func counters() async {
        enum Colour: CaseIterable { case red, blue }
        let counter = Counter()
        let family = CounterFamily<Colour>()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<1_000 {
                        counter.add()
                        family.add(2, to: .blue)
                    }
                    counter.add(-5)
                }
            }
        }
        #expect(counter.value == 8_000)
        #expect(family[.blue] == 16_000 && family[.red] == 0)
    }
}
