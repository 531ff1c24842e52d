// swift-tools-version: 6.1
// The load generator of `make bench`: one small program without dependencies, so that it builds in seconds.
import PackageDescription

let package = Package(
    name: "martlet-benchmarks",
    targets: [
        .executableTarget(
            name: "martlet-load",
            swiftSettings: [.swiftLanguageMode(.v6), .enableUpcomingFeature("ExistentialAny")])
    ]
)
