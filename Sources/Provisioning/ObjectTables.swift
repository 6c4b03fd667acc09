/// The tables of domain.md, each behind those it references.
extension ObjectTable {
    static let telephony = [
        ObjectTable(
            name: "switch",
            body: tenantName + ["type smallint NOT NULL DEFAULT 0", "link_type smallint NOT NULL DEFAULT 0"]),
        ObjectTable(
            name: "dn",
            body: reference("switch_dbid", "switch") + [
                "type smallint NOT NULL CHECK (type IN (1, 2, 3, 4, 5, 6, 8, 14, 15, 22, 23, 24, 25, 27, 29))",
                "number text NOT NULL CHECK (char_length(number) BETWEEN 1 AND 64)",
                "name text CHECK (char_length(name) BETWEEN 1 AND 255)",
                "route_type smallint NOT NULL DEFAULT 0", "register_all boolean NOT NULL DEFAULT true",
                "login_flag boolean NOT NULL DEFAULT false", "association text",
                "UNIQUE (switch_dbid, number)", "UNIQUE (tenant_dbid, name)",
            ],
            immutable: ["switch_dbid", "type", "number"]),
        ObjectTable(name: "place", body: tenantName + ["dn_dbids bigint[] NOT NULL DEFAULT '{}'"]),
        ObjectTable(
            name: "person",
            body: [
                "user_name text NOT NULL UNIQUE CHECK (char_length(user_name) BETWEEN 1 AND 64)",
                "employee_id text NOT NULL CHECK (char_length(employee_id) BETWEEN 1 AND 64)",
                "first_name text", "last_name text", "email text", "external_id text",
                "is_agent boolean NOT NULL DEFAULT false",
            ] + reference("place_dbid", "place", required: false) + [
                "capacity_rule_dbid bigint", "password_hash text", "password_changed_at bigint",
                "UNIQUE (tenant_dbid, employee_id)",
            ],
            immutable: ["is_agent"], indexed: ["place_dbid"], trailer: passwordTriggers),
        ObjectTable(name: "skill", body: tenantName),
        ObjectTable(
            name: "person_skill",
            body: reference("person_dbid", "person") + reference("skill_dbid", "skill") + [
                "level smallint NOT NULL DEFAULT 0 CHECK (level >= 0)"
            ],
            linkKey: ["person_dbid", "skill_dbid"]),
        ObjectTable(
            name: "agent_login",
            body: reference("switch_dbid", "switch") + [
                "login_code text NOT NULL CHECK (char_length(login_code) BETWEEN 1 AND 64)",
                "wrapup_time integer NOT NULL DEFAULT 0 CHECK (wrapup_time >= 0)", "UNIQUE (switch_dbid, login_code)",
            ],
            immutable: ["switch_dbid"]),
        ObjectTable(
            name: "agent_group",
            body: tenantName + [
                "manager_dbids bigint[] NOT NULL DEFAULT '{}'", "route_dn_dbids bigint[] NOT NULL DEFAULT '{}'",
            ]),
        .members("agent_group_member", of: "agent_group", are: "person"),
        ObjectTable(name: "place_group", body: tenantName),
        .members("place_group_member", of: "place_group", are: "place"),
        ObjectTable(name: "dn_group", body: tenantName),
        .members("dn_group_member", of: "dn_group", are: "dn"),
        ObjectTable(name: "role", body: tenantName + ["description text"]),
        ObjectTable(
            name: "folder",
            body: tenantName + ["object_type smallint NOT NULL DEFAULT 0"]
                + reference("parent_folder_dbid", "folder", required: false),
            indexed: ["parent_folder_dbid"]),
        ObjectTable(
            name: "transaction",
            body: tenantName + ["type smallint NOT NULL DEFAULT 0", "alias text", "description text"]),
        ObjectTable(
            name: "time_zone",
            body: tenantName + [
                "utc_offset_s integer NOT NULL DEFAULT 0 CHECK (utc_offset_s BETWEEN -86400 AND 86400)",
                "is_dst_observed boolean NOT NULL DEFAULT false",
            ]),
    ]

    static let outbound = [
        ObjectTable(name: "campaign", body: tenantName + ["description text"]),
        ObjectTable(
            name: "campaign_group",
            body: reference("campaign_dbid", "campaign") + [
                "name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 255)"
            ] + reference("group_dbid", "agent_group", required: false) + [
                "dial_mode smallint NOT NULL DEFAULT 1 CHECK (dial_mode > 0)",
                "operation_mode smallint NOT NULL DEFAULT 1 CHECK (operation_mode > 0)",
                "number_of_channels integer NOT NULL DEFAULT 10 CHECK (number_of_channels >= 0)",
                "min_buffer integer NOT NULL DEFAULT 4 CHECK (min_buffer >= 0)",
                "optimal_buffer integer NOT NULL DEFAULT 6 CHECK (optimal_buffer >= 0)",
                "opt_method smallint NOT NULL DEFAULT 1", "opt_value integer NOT NULL DEFAULT 80",
            ] + reference("orig_dn_dbid", "dn", required: false) + ["UNIQUE (campaign_dbid, name)"],
            immutable: ["campaign_dbid"], indexed: ["group_dbid", "orig_dn_dbid"]),
        ObjectTable(
            name: "calling_list",
            body: tenantName + [
                "time_from integer NOT NULL DEFAULT 28800 CHECK (time_from BETWEEN 0 AND 86400)",
                "time_until integer NOT NULL DEFAULT 64800 CHECK (time_until BETWEEN 0 AND 86400)",
                "max_attempts integer NOT NULL DEFAULT 10 CHECK (max_attempts > 0)", "table_name text",
            ]),
        ObjectTable(
            name: "treatment",
            body: tenantName + [
                "call_result smallint NOT NULL DEFAULT 0", "action_code smallint NOT NULL DEFAULT 0",
                "attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0)",
                "interval_s integer NOT NULL DEFAULT 0 CHECK (interval_s >= 0)", "description text",
            ]),
    ]

    /// The hash is never replicated; watchers see the time of its change.
    private static let passwordTriggers = """
        CREATE TRIGGER person_password_set BEFORE INSERT ON provisioning.person
            FOR EACH ROW WHEN (NEW.password_hash IS NOT NULL) EXECUTE FUNCTION provisioning.mark_password_change();
        CREATE TRIGGER person_password_changed BEFORE UPDATE ON provisioning.person
            FOR EACH ROW WHEN (OLD.password_hash IS DISTINCT FROM NEW.password_hash)
            EXECUTE FUNCTION provisioning.mark_password_change();
        """
}

extension ProvisioningSchema {
    /// A DN stands in one place at most and is not deleted while it does: an array cannot say so, these links can.
    static let placeContents = """
        CREATE TABLE provisioning.place_dn (
            dn_dbid bigint PRIMARY KEY DEFERRABLE,
            place_dbid bigint NOT NULL,
            tenant_dbid bigint NOT NULL,
            FOREIGN KEY (tenant_dbid, dn_dbid) REFERENCES provisioning.dn (tenant_dbid, dbid),
            FOREIGN KEY (tenant_dbid, place_dbid) REFERENCES provisioning.place (tenant_dbid, dbid) ON DELETE CASCADE
        );
        CREATE INDEX place_dn_place_dbid ON provisioning.place_dn (place_dbid);
        CREATE FUNCTION provisioning.keep_place_dn() RETURNS trigger LANGUAGE plpgsql
            SECURITY DEFINER SET search_path = pg_catalog AS $function$
        BEGIN
            DELETE FROM provisioning.place_dn WHERE place_dbid = NEW.dbid AND dn_dbid <> ALL (NEW.dn_dbids);
            INSERT INTO provisioning.place_dn (dn_dbid, place_dbid, tenant_dbid)
                SELECT dn_dbid, NEW.dbid, NEW.tenant_dbid FROM unnest(NEW.dn_dbids) AS dn_dbid
                WHERE TG_OP = 'INSERT' OR dn_dbid <> ALL (OLD.dn_dbids);
            RETURN NULL;
        END
        $function$;
        CREATE TRIGGER place_contents_new AFTER INSERT ON provisioning.place
            FOR EACH ROW WHEN (NEW.dn_dbids <> '{}') EXECUTE FUNCTION provisioning.keep_place_dn();
        CREATE TRIGGER place_contents_changed AFTER UPDATE OF dn_dbids ON provisioning.place
            FOR EACH ROW WHEN (OLD.dn_dbids <> NEW.dn_dbids) EXECUTE FUNCTION provisioning.keep_place_dn();
        """
}
