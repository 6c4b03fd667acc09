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
let nioTLS = Target.Dependency.product(name: "NIOTLS", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")

let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let histogram = Target.Dependency.product(name: "Histogram", package: "hdrhistogram-swift")

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
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    ],
    targets: [
        .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"])]),
        .systemLibrary(name: "CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CLibrdkafka", providers: [.apt(["librdkafka-dev"])]),

        layer("RESP", [nioCore]),
        layer("PGOutput"),

        layer("RedisClient", ["CHiredis", "RESP", nioCore, nioPosix, nioSSL]),
        layer("PostgresClient", ["CLibPQ", "PGOutput"]),
        layer("KafkaClient", ["CLibrdkafka"]),

        layer("RegionConfig", ["Yams"]),
        layer("Observability", [logging]),
        layer("CrashPoints"),

        layer("Journal", ["RESP", nioCore]),

        layer("Provisioning", ["RegionConfig", crypto, nioCore]),
        layer("VoiceEvents", ["Journal"]),

        layer(
            "Capture",
            ["CrashPoints", "Journal", "Observability", "PGOutput", "Provisioning", "RESP", "RegionConfig", logging]),
        layer("Mirror", ["CrashPoints", "Journal", "Observability", logging, nioCore]),
        layer(
            "Projection",
            [
                "CrashPoints", "Journal", "Observability", "Provisioning", "RESP", "RegionConfig", "VoiceEvents",
                logging,
                nioCore,
            ]),

        layer("Failover", ["Journal"]),
        layer("Lease", ["RESP"]),

        layer(
            "AdminHTTP",
            ["Observability", httpTypes, hummingbird, hummingbirdCore, lifecycle, logging, nioCore]),

        layer(
            "RESPServer",
            ["Observability", "RESP", crypto, lifecycle, logging, nioCore, nioPosix, nioSSL, nioTLS]),

        layer("Tenants", ["Journal", "Projection", "RESP", "RESPServer"]),
        layer(
            "ConfigListener",
            [
                "Journal", "Observability", "Projection", "Provisioning", "RESP", "RESPServer", "RegionConfig",
                "Tenants", logging, nioCore,
            ]),
        layer(
            "VoiceListener",
            [
                "Journal", "Observability", "Projection", "RESP", "RESPServer", "RegionConfig", "Tenants",
                "VoiceEvents", logging, nioCore,
            ]),

        layer(
            "Reconciliation",
            ["CrashPoints", "Journal", "Projection", "Provisioning", "RESP", "RegionConfig", nioCore]),

        layer("Connections", ["PostgresClient", "RedisClient", "RegionConfig"]),

        layer(
            "Worker",
            [
                "AdminHTTP", "Capture", "ConfigListener", "Connections", "CrashPoints", "Journal", "Lease", "Mirror",
                "Observability", "PGOutput", "PostgresClient", "Projection", "Provisioning", "RESP", "RESPServer",
                "Reconciliation", "RedisClient", "RegionConfig", "Tenants", "VoiceListener", lifecycle, logging,
                nioCore,
                nioPosix,
            ]),

        // What operators and tests do beside a worker.
        layer(
            "Preflight",
            [
                "Connections", "Journal", "Lease", "PGOutput", "PostgresClient", "Projection", "Provisioning", "RESP",
                "RESPServer", "RedisClient", "RegionConfig", "VoiceListener", nioCore, nioPosix,
            ]),
        layer("WANProxy", [nioCore, nioPosix]),
        layer("Traffic", ["Journal", "VoiceEvents"]),
        layer(
            "Simulation",
            [
                "Capture", "Journal", "Lease", "Mirror", "PGOutput", "Projection", "Provisioning", "RESP",
                "RegionConfig",
                "Traffic", "VoiceEvents", nioCore,
            ]),
        layer(
            "Generator",
            [
                "Connections", "Journal", "PostgresClient", "Projection", "Provisioning", "RESP", "RedisClient",
                "RegionConfig", "Traffic", "VoiceEvents", histogram, nioCore, nioPosix,
            ]),

        layer(
            "Verification",
            [
                "Connections", "Journal", "Observability", "PGOutput", "PostgresClient", "Projection", "Provisioning",
                "RESP", "Reconciliation", "RedisClient", "RegionConfig", "Traffic", "VoiceEvents", "Worker", nioCore,
                nioHTTP1, nioPosix,
            ]),

        layer(
            "FailoverAdapters",
            [
                "Connections", "Failover", "Journal", "Observability", "PostgresClient", "Projection", "RESP",
                "RedisClient", "RegionConfig", "Verification", "VoiceEvents", nioCore, nioPosix,
            ]),

        .executableTarget(
            name: "regionsync",
            dependencies: [
                "AdminHTTP", "CrashPoints", "Failover", "FailoverAdapters", "Generator", "Observability",
                "PostgresClient", "Preflight", "Provisioning", "RegionConfig", "Traffic", "Verification", "Worker",
                arguments, lifecycle, logging, unixSignals,
            ], swiftSettings: testing),
        .executableTarget(
            name: "regionsync-load",
            dependencies: [
                "Journal", "PostgresClient", "RESP", "RedisClient", "Traffic", "WANProxy", arguments, nioCore, nioPosix,
            ],
            path: "Sources/Load", swiftSettings: testing),
        .executableTarget(
            name: "regionsync-simulate", dependencies: ["Simulation", arguments], path: "Sources/Simulate",
            swiftSettings: testing),

        .target(name: "ServerFixtures", path: "Tests/ServerFixtures", swiftSettings: testing),
        .target(
            name: "PortFixtures", dependencies: ["Observability", "RESPServer", lifecycle, logging],
            path: "Tests/PortFixtures", swiftSettings: testing),
        tests(of: "AdminHTTP", ["Observability", lifecycle, logging]),
        tests(of: "Capture", ["Journal", "Observability", "PGOutput", "RegionConfig", "Traffic", logging, nioCore]),
        tests(
            of: "ConfigListener",
            [
                "Journal", "Observability", "PortFixtures", "PostgresClient", "Projection", "Provisioning", "RESP",
                "RESPServer", "RedisClient", "RegionConfig", "ServerFixtures", "Tenants", "Traffic", "Worker",
                logging, nioCore, nioPosix,
            ]),
        tests(of: "Failover", ["Journal", "Traffic"]),
        tests(
            of: "FailoverAdapters",
            [
                "Connections", "Failover", "Journal", "PostgresClient", "Projection", "RESP", "RedisClient",
                "RegionConfig", "ServerFixtures", "VoiceEvents", nioCore, nioPosix,
            ]),
        tests(
            of: "Generator",
            [
                "Journal", "PostgresClient", "Provisioning", "RESP", "RedisClient", "RegionConfig", "ServerFixtures",
                "Traffic", "VoiceEvents", nioCore, nioPosix,
            ]),
        tests(of: "Journal"),
        tests(of: "KafkaClient", ["CLibrdkafka"]),
        tests(of: "Lease", ["Traffic"]),
        .testTarget(name: "LoadTests", dependencies: ["regionsync-load"], swiftSettings: testing),
        tests(of: "Mirror", ["Journal", "Traffic", nioCore]),
        tests(of: "Observability", [logging]),
        tests(of: "PGOutput"),
        tests(of: "PostgresClient", ["PGOutput", "ServerFixtures"]),
        tests(
            of: "Preflight",
            [
                "Journal", "PostgresClient", "Provisioning", "RESP", "RedisClient", "RegionConfig", "ServerFixtures",
                nioCore, nioPosix,
            ]),
        tests(
            of: "Projection",
            [
                "Journal", "Observability", "Provisioning", "RESP", "RegionConfig", "ServerFixtures", "Traffic",
                "VoiceEvents", logging, nioCore, nioPosix,
            ]),
        tests(of: "Provisioning", ["PostgresClient", "RegionConfig", "ServerFixtures", nioCore]),
        tests(of: "RESP", [nioCore]),
        tests(
            of: "RESPServer",
            ["Observability", "PortFixtures", "RESP", "RedisClient", "ServerFixtures", logging, nioCore, nioPosix]),
        tests(of: "Reconciliation", ["Journal", "Provisioning", "Traffic"]),
        tests(of: "RedisClient", ["RESP", "ServerFixtures", "WANProxy", nioCore, nioPosix]),
        tests(of: "RegionConfig"),
        tests(
            of: "Simulation",
            [
                "Journal", "Mirror", "Projection", "RESP", "RedisClient", "ServerFixtures", "Traffic", crypto, nioCore,
                nioPosix,
            ]),
        tests(
            of: "Tenants",
            [
                "Journal", "Projection", "RESP", "RESPServer", "RedisClient", "ServerFixtures", "Worker", nioCore,
                nioPosix,
            ]),
        tests(of: "Traffic", ["Journal", "VoiceEvents"]),
        tests(
            of: "Verification",
            [
                "AdminHTTP", "Journal", "Observability", "PostgresClient", "Preflight", "Provisioning", "RESP",
                "RedisClient", "RegionConfig", "ServerFixtures", "Traffic", "Worker", lifecycle, logging, nioCore,
                nioPosix,
            ]),
        tests(of: "VoiceEvents", ["Journal", "Traffic"]),
        tests(
            of: "VoiceListener",
            [
                "Generator", "Journal", "Mirror", "Observability", "PortFixtures", "Projection", "RESP", "RESPServer",
                "RedisClient", "RegionConfig", "ServerFixtures", "Tenants", "Traffic", "VoiceEvents", "Worker",
                logging, nioCore, nioPosix,
            ]),
        tests(of: "WANProxy", ["RESP", "RedisClient", "ServerFixtures", "Traffic", nioCore, nioPosix]),
        tests(
            of: "Worker",
            [
                "Capture", "CrashPoints", "Journal", "Lease", "Mirror", "Observability", "PGOutput", "PostgresClient",
                "Projection", "Provisioning", "RESP", "RESPServer", "Reconciliation", "RedisClient", "RegionConfig",
                "ServerFixtures",
                "Traffic", "Verification", "WANProxy", "regionsync", crypto, logging, nioCore, nioPosix,
            ]),
    ])

/// The fuzzers need libFuzzer's main and instrumented libraries: `ops/fuzz` builds them in a folder apart.
if Context.environment["REGIONSYNC_FUZZ"] != nil {
    let sanitizers: SwiftSetting = .unsafeFlags(["-sanitize=fuzzer,address"])
    for target in package.targets where target.type == .regular {
        target.swiftSettings = (target.swiftSettings ?? []) + [sanitizers]
    }
    func fuzzer(
        _ name: String, path: String, _ dependencies: [Target.Dependency], exclude: [String] = []
    ) -> Target {
        .executableTarget(
            name: "Fuzz\(name)", dependencies: ["FuzzDriver"] + dependencies, path: "Tests/Fuzz/\(path)",
            exclude: ["corpus"] + exclude,
            swiftSettings: testing + [sanitizers, .unsafeFlags(["-parse-as-library"])],
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer,address"])])
    }
    package.targets += [
        .target(
            name: "FuzzDriver", path: "Tests/Fuzz/Driver",
            swiftSettings: testing + [sanitizers, .enableExperimentalFeature("Extern")]),
        fuzzer("PGOutput", path: "PGOutput", ["PGOutput"]), fuzzer("RESP", path: "RESP", ["RESP", nioCore]),
        fuzzer("RegionConfig", path: "RegionFile", ["RegionConfig"]),
        fuzzer(
            "Ports", path: "Ports",
            [
                "ConfigListener", "Journal", "Observability", "Projection", "RESP", "RESPServer", "RegionConfig",
                "Tenants", "VoiceListener", logging, nioCore, nioPosix,
            ], exclude: ["words.dict"]),
    ]
}
