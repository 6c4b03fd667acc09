// swift-tools-version:6.2
import PackageDescription

let testing: [SwiftSetting] = [
    .swiftLanguageMode(.v6), .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]
let library = testing + [.strictMemorySafety()]

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")

/// A target of Sources/.
func layer(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: library)
}

/// The tests of one target of Sources/, in Tests/<name>Tests.
func tests(of name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .testTarget(
        name: "\(name)Tests", dependencies: [.target(name: name)] + dependencies, swiftSettings: testing)
}

// Targets stand in layer order: each imports only targets above it.
let package = Package(
    name: "regionsync",
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        .systemLibrary(name: "CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),

        layer("RESP", [nioCore]),
        layer("PGOutput"),

        layer("PostgresClient", ["CLibPQ", "PGOutput"]),

        layer("RegionConfig", ["Yams"]),
        layer("Observability", [logging]),

        layer("Journal", ["RESP", nioCore]),

        layer("VoiceEvents", ["Journal"]),

        layer("Mirror", ["Journal", "Observability", logging, nioCore]),

        .target(name: "ServerFixtures", path: "Tests/ServerFixtures", swiftSettings: testing),
        tests(of: "Journal"),
        tests(of: "Mirror", ["Journal"]),
        tests(of: "Observability"),
        tests(of: "PGOutput"),
        tests(of: "PostgresClient", ["PGOutput", "ServerFixtures"]),
        tests(of: "RESP", [nioCore]),
        tests(of: "RegionConfig"),
        tests(of: "VoiceEvents", ["Journal"]),
    ])

/// The fuzzers need libFuzzer's main and sanitizers of their own: `ops/fuzz` builds them in a folder apart.
if Context.environment["REGIONSYNC_FUZZ"] != nil {
    let sanitizers = ["-sanitize=fuzzer,address"]
    func fuzzer(of name: String, path: String) -> Target {
        .executableTarget(
            name: "Fuzz\(name)", dependencies: [.target(name: name)], path: "Tests/Fuzz/\(path)",
            exclude: ["corpus"], swiftSettings: testing + [.unsafeFlags(sanitizers + ["-parse-as-library"])],
            linkerSettings: [.unsafeFlags(sanitizers)])
    }
    package.targets.append(fuzzer(of: "PGOutput", path: "PGOutput"))
}
