"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# There is no way down: the backup that is made before a migration is the way back.
Integer64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    upgrade_pools()
    upgrade_indices()
    upgrade_chats()


def upgrade_pools() -> None:
    op.create_table(
        "good",
        *integers("pool_id", "id"),
        *texts("name", "name_key", "unit", "units", "rule", "free"),
        *integers("created_at"),
        *integers("last_cost", nullable=True),
        *texts("hint"),
        sa.PrimaryKeyConstraint("pool_id", "id", name="pk_good"),
        sa.UniqueConstraint("pool_id", "name_key", name="uq_good_pool_id_name_key"),
        sqlite_strict=True,
    )
    op.create_table(
        "member",
        *integers("pool_id", "id"),
        *texts("name", "name_key"),
        *integers("person_id", nullable=True),
        *integers("steward"),
        *texts("settings"),
        *integers("joined_at"),
        *integers(
            "admitted_at",
            "left_at",
            "break_from",
            "break_until",
            "exempt_from",
            "exempt_until",
            "exempt_project_id",
            "merged_into_id",
            nullable=True,
        ),
        sa.PrimaryKeyConstraint("pool_id", "id", name="pk_member"),
        sa.UniqueConstraint("pool_id", "name_key", name="uq_member_pool_id_name_key"),
        sa.UniqueConstraint("pool_id", "person_id", name="uq_member_pool_id_person_id"),
        sqlite_strict=True,
    )
    op.create_table(
        "pool",
        *integers("id"),
        *texts("name", "code", "settings"),
        *integers("revision", "last_id", "last_task_number", "founded_at"),
        *integers("round_due_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_pool"),
        sa.UniqueConstraint("code", name="uq_pool_code"),
        sqlite_strict=True,
    )
    op.create_table(
        "project",
        *integers("pool_id", "id"),
        *texts("name", "name_key", "settings"),
        *integers("created_at"),
        *integers("archived_at", nullable=True),
        sa.PrimaryKeyConstraint("pool_id", "id", name="pk_project"),
        sa.UniqueConstraint("pool_id", "name_key", name="uq_project_pool_id_name_key"),
        sqlite_strict=True,
    )
    op.create_table(
        "round",
        *integers("pool_id", "id"),
        *integers("number", nullable=True),
        *texts("local", nullable=True),
        *texts("state", "secret", "commitment"),
        *integers("opened_at"),
        *integers("due_at", "ran_at", nullable=True),
        sa.Column("inputs", sa.LargeBinary(), nullable=True),
        sa.Column("outcome", sa.LargeBinary(), nullable=True),
        *integers("told_id", nullable=True),
        sa.PrimaryKeyConstraint("pool_id", "id", name="pk_round"),
        sa.UniqueConstraint("pool_id", "local", name="uq_round_pool_id_local"),
        sa.UniqueConstraint("pool_id", "number", name="uq_round_pool_id_number"),
        sqlite_strict=True,
    )
    op.create_table(
        "confirmation",
        *integers("pool_id", "id"),
        *texts("subject"),
        *integers("subject_id", "member_id", "at"),
        pool_reference("member_id", "member", "fk_confirmation_pool_id_member_id"),
        sa.PrimaryKeyConstraint("pool_id", "subject", "subject_id", "member_id", name="pk_confirmation"),
        sqlite_strict=True,
    )
    op.create_table(
        "deed",
        *integers("pool_id", "id", "member_id"),
        *texts("kind"),
        *integers("subject_id"),
        *texts("before"),
        *integers("at"),
        *integers("undone_at", nullable=True),
        pool_reference("member_id", "member", "fk_deed_pool_id_member_id"),
        sa.PrimaryKeyConstraint("pool_id", "id", name="pk_deed"),
        sqlite_strict=True,
    )
    op.create_table(
        "freetaking",
        *integers("pool_id", "id", "good_id", "member_id", "at"),
        pool_reference("good_id", "good", "fk_freetaking_pool_id_good_id"),
        pool_reference("member_id", "member", "fk_freetaking_pool_id_member_id"),
        sa.PrimaryKeyConstraint("pool_id", "good_id", "member_id", name="pk_freetaking"),
        sqlite_strict=True,
    )
    op.create_table(
        "membership",
        *integers("pool_id", "id", "project_id", "member_id", "maintainer", "joined_at"),
        *integers("admitted_at", nullable=True),
        pool_reference("member_id", "member", "fk_membership_pool_id_member_id"),
        pool_reference("project_id", "project", "fk_membership_pool_id_project_id"),
        sa.PrimaryKeyConstraint("pool_id", "project_id", "member_id", name="pk_membership"),
        sqlite_strict=True,
    )
    op.create_table(
        "product",
        *integers("pool_id", "id", "good_id", "project_id"),
        *texts("pickup"),
        *integers("leftover_rounds"),
        *integers("last_average", nullable=True),
        *integers("created_at"),
        pool_reference("good_id", "good", "fk_product_pool_id_good_id"),
        pool_reference("project_id", "project", "fk_product_pool_id_project_id"),
        sa.PrimaryKeyConstraint("pool_id", "id", name="pk_product"),
        sa.UniqueConstraint("pool_id", "good_id", "project_id", name="uq_product_pool_id_good_id_project_id"),
        sqlite_strict=True,
    )
    op.create_table(
        "transfer",
        *integers("pool_id", "id"),
        *texts("key", "kind"),
        *integers("from_id", "to_id", nullable=True),
        *integers("amount"),
        *texts("subject"),
        *integers("round_number", nullable=True),
        *integers("at"),
        sa.CheckConstraint("COALESCE(from_id, 0) <> COALESCE(to_id, 0)", name="ck_transfer_two_accounts"),
        sa.CheckConstraint("amount > 0", name="ck_transfer_positive"),
        pool_reference("from_id", "member", "fk_transfer_pool_id_from_id"),
        pool_reference("to_id", "member", "fk_transfer_pool_id_to_id"),
        sa.PrimaryKeyConstraint("pool_id", "id", name="pk_transfer"),
        sa.UniqueConstraint("pool_id", "key", name="uq_transfer_pool_id_key"),
        sqlite_strict=True,
    )
    op.create_table(
        "batch",
        *integers("pool_id", "id", "product_id", "member_id"),
        *integers("task_id", nullable=True),
        *integers("units", "left", "given", "effort"),
        *texts("needs"),
        *integers("made_at"),
        *integers("offered_at", "until_at", "expired_at", nullable=True),
        sa.CheckConstraint('given >= 0 AND given + "left" <= units', name="ck_batch_units"),
        pool_reference("product_id", "product", "fk_batch_pool_id_product_id"),
        sa.PrimaryKeyConstraint("pool_id", "id", name="pk_batch"),
        sqlite_strict=True,
    )
    op.create_table(
        "pledge",
        *integers("pool_id", "id", "product_id", "member_id", "units", "made", "by_at", "at"),
        *integers("ended_at", nullable=True),
        pool_reference("member_id", "member", "fk_pledge_pool_id_member_id"),
        pool_reference("product_id", "product", "fk_pledge_pool_id_product_id"),
        sa.PrimaryKeyConstraint("pool_id", "id", name="pk_pledge"),
        sqlite_strict=True,
    )
    op.create_table(
        "task",
        *integers("pool_id", "id", "number", "project_id", "creator_id"),
        *integers("product_id", nullable=True),
        *texts("origin", "title"),
        *integers("hours", "slots", "weight"),
        *integers("due_at", nullable=True),
        *integers("urgent"),
        *texts("place", "every"),
        *integers("series", "anchor_at", "next_at", nullable=True),
        *integers("created_at"),
        *integers("opened_at", nullable=True),
        *integers("rose"),
        *integers("learned", "closed_at", "cancelled_at", nullable=True),
        pool_reference("creator_id", "member", "fk_task_pool_id_creator_id"),
        pool_reference("product_id", "product", "fk_task_pool_id_product_id"),
        pool_reference("project_id", "project", "fk_task_pool_id_project_id"),
        sa.PrimaryKeyConstraint("pool_id", "id", name="pk_task"),
        sa.UniqueConstraint("pool_id", "number", name="uq_task_pool_id_number"),
        sqlite_strict=True,
    )
    op.create_table(
        "want",
        *integers("pool_id", "id", "good_id", "member_id"),
        *integers("product_id", nullable=True),
        *integers("units"),
        *integers("bid", "maximum", nullable=True),
        *integers("every_round", "units_each_round", "got", "waited", "first_round", "at"),
        *integers("ended_at", nullable=True),
        pool_reference("good_id", "good", "fk_want_pool_id_good_id"),
        pool_reference("member_id", "member", "fk_want_pool_id_member_id"),
        pool_reference("product_id", "product", "fk_want_pool_id_product_id"),
        sa.PrimaryKeyConstraint("pool_id", "id", name="pk_want"),
        sqlite_strict=True,
    )
    op.create_table(
        "backing",
        *integers("pool_id", "id", "task_id", "member_id", "at"),
        pool_reference("member_id", "member", "fk_backing_pool_id_member_id"),
        pool_reference("task_id", "task", "fk_backing_pool_id_task_id"),
        sa.PrimaryKeyConstraint("pool_id", "task_id", "member_id", name="pk_backing"),
        sqlite_strict=True,
    )
    op.create_table(
        "bid",
        *integers("pool_id", "id", "task_id", "member_id", "weight", "at"),
        pool_reference("member_id", "member", "fk_bid_pool_id_member_id"),
        pool_reference("task_id", "task", "fk_bid_pool_id_task_id"),
        sa.PrimaryKeyConstraint("pool_id", "task_id", "member_id", name="pk_bid"),
        sqlite_strict=True,
    )
    op.create_table(
        "claim",
        *integers("pool_id", "id", "task_id", "member_id", "weight"),
        *texts("how"),
        *integers("rose"),
        *integers("offered_to_id", nullable=True),
        *integers("claimed_at"),
        *integers("hours", nullable=True),
        *texts("note"),
        *integers("reported_at", "disputed_at", "disputed_by_id", nullable=True),
        *texts("dispute"),
        *integers("confirmed_at", "ended_at", nullable=True),
        *texts("stage"),
        *integers("deadline_at", nullable=True),
        pool_reference("member_id", "member", "fk_claim_pool_id_member_id"),
        pool_reference("task_id", "task", "fk_claim_pool_id_task_id"),
        sa.PrimaryKeyConstraint("pool_id", "id", name="pk_claim"),
        sqlite_strict=True,
    )
    op.create_table(
        "contribution",
        *integers("pool_id", "id", "member_id", "task_id", "claim_id"),
        *integers("product_id", "batch_id", nullable=True),
        *integers("hours", "weight", "effort", "due", "recognised", "confirmed_at"),
        sa.CheckConstraint("0 <= recognised AND recognised <= effort AND due <= effort", name="ck_contribution_effort"),
        pool_reference("batch_id", "batch", "fk_contribution_pool_id_batch_id"),
        pool_reference("member_id", "member", "fk_contribution_pool_id_member_id"),
        pool_reference("product_id", "product", "fk_contribution_pool_id_product_id"),
        pool_reference("task_id", "task", "fk_contribution_pool_id_task_id"),
        sa.PrimaryKeyConstraint("pool_id", "id", name="pk_contribution"),
        sqlite_strict=True,
    )
    op.create_table(
        "givenunit",
        *integers("pool_id", "id", "round_number", "want_id", "member_id", "product_id", "batch_id", "cost", "at"),
        *integers("collected_at", "missing_at", "returned_at", nullable=True),
        pool_reference("batch_id", "batch", "fk_givenunit_pool_id_batch_id"),
        pool_reference("member_id", "member", "fk_givenunit_pool_id_member_id"),
        pool_reference("product_id", "product", "fk_givenunit_pool_id_product_id"),
        pool_reference("want_id", "want", "fk_givenunit_pool_id_want_id"),
        sa.PrimaryKeyConstraint("pool_id", "id", name="pk_givenunit"),
        sqlite_strict=True,
    )


def upgrade_indices() -> None:
    op.create_index(
        "member_merged",
        "member",
        ["pool_id", "merged_into_id"],
        sqlite_where=sa.text("merged_into_id IS NOT NULL"),
        postgresql_where=sa.text("merged_into_id IS NOT NULL"),
    )
    op.create_index(
        "member_present",
        "member",
        ["pool_id", "name_key", "id", "admitted_at"],
        postgresql_ops={"name_key": "text_pattern_ops"},
        postgresql_where=sa.text("left_at IS NULL"),
        sqlite_where=sa.text("left_at IS NULL"),
    )
    op.create_index(
        "member_steward",
        "member",
        ["pool_id", "id"],
        sqlite_where=sa.text("steward = 1"),
        postgresql_where=sa.text("steward = 1"),
    )
    op.create_index("ix_pool_round_due_at", "pool", ["round_due_at"])
    op.create_index(
        "round_untold",
        "round",
        ["due_at"],
        sqlite_where=sa.text("told_id IS NOT NULL"),
        postgresql_where=sa.text("told_id IS NOT NULL"),
    )
    op.create_index("deed_by_member", "deed", ["pool_id", "member_id", "id"])
    op.create_index("deed_by_subject", "deed", ["pool_id", "subject_id", "at"])
    op.create_index("membership_by_member", "membership", ["pool_id", "member_id"])
    op.create_index(
        "membership_maintaining",
        "membership",
        ["pool_id", "project_id"],
        sqlite_where=sa.text("maintainer = 1"),
        postgresql_where=sa.text("maintainer = 1"),
    )
    op.create_index("transfer_by_round", "transfer", ["pool_id", "round_number"])
    op.create_index("transfer_from", "transfer", ["pool_id", "from_id", "kind", "amount"])
    op.create_index("transfer_to", "transfer", ["pool_id", "to_id", "kind", "amount"])
    op.create_index("batch_by_offer", "batch", ["pool_id", "offered_at"])
    op.create_index("batch_by_product", "batch", ["pool_id", "product_id", "left"])
    op.create_index("batch_by_task", "batch", ["pool_id", "task_id"])
    op.create_index(
        "batch_left",
        "batch",
        ["pool_id", "id"],
        sqlite_where=sa.text('"left" > 0'),
        postgresql_where=sa.text('"left" > 0'),
    )
    op.create_index("ix_batch_until_at", "batch", ["until_at"])
    op.create_index("pledge_by_date", "pledge", ["by_at"])
    op.create_index("pledge_by_product", "pledge", ["pool_id", "product_id", "ended_at"])
    op.create_index("ix_task_next_at", "task", ["next_at"])
    op.create_index(
        "task_by_series",
        "task",
        ["pool_id", "series", "number"],
        sqlite_where=sa.text("series IS NOT NULL"),
        postgresql_where=sa.text("series IS NOT NULL"),
    )
    op.create_index("task_by_state", "task", ["pool_id", "closed_at", "weight"])
    op.create_index(
        "want_by_good",
        "want",
        ["pool_id", "good_id"],
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(
        "want_standing",
        "want",
        ["pool_id", "member_id", "good_id"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index("bid_by_member", "bid", ["pool_id", "member_id"])
    op.create_index("claim_by_deadline", "claim", ["deadline_at"])
    op.create_index("claim_by_member", "claim", ["pool_id", "member_id", "ended_at"])
    op.create_index("claim_by_task", "claim", ["pool_id", "task_id"])
    op.create_index("contribution_by_batch", "contribution", ["pool_id", "batch_id"])
    op.create_index("contribution_by_member", "contribution", ["pool_id", "member_id"])
    op.create_index("contribution_by_task", "contribution", ["pool_id", "task_id"])
    op.create_index("contribution_by_time", "contribution", ["pool_id", "confirmed_at", "member_id"])
    op.create_index("contribution_gathering", "contribution", ["pool_id", "product_id", "batch_id"])
    op.create_index(
        "contribution_owed",
        "contribution",
        ["pool_id", "id"],
        sqlite_where=sa.text("recognised < due"),
        postgresql_where=sa.text("recognised < due"),
    )
    op.create_index(
        "contribution_unpaid",
        "contribution",
        ["pool_id", "product_id"],
        sqlite_where=sa.text("recognised < effort"),
        postgresql_where=sa.text("recognised < effort"),
    )
    op.create_index("given_by_member", "givenunit", ["pool_id", "member_id", "at"])
    op.create_index("given_by_time", "givenunit", ["pool_id", "at", "member_id"])
    op.create_index(
        "given_to_collect",
        "givenunit",
        ["pool_id", "product_id"],
        sqlite_where=sa.text("collected_at IS NULL AND returned_at IS NULL"),
        postgresql_where=sa.text("collected_at IS NULL AND returned_at IS NULL"),
    )


def upgrade_chats() -> None:
    op.create_table(
        "code",
        *texts("digest", "purpose"),
        *integers("person_id", "pool_id", "project_id", "account_id", nullable=True),
        *integers("expires_at"),
        *integers("used_at", nullable=True),
        sa.PrimaryKeyConstraint("digest", name="pk_code"),
        sqlite_strict=True,
    )
    op.create_table(
        "inbox",
        *integers("id"),
        *texts("platform", "event_id", "chat", "payload"),
        *integers("received_at"),
        *integers("done_at", nullable=True),
        *texts("fault"),
        sa.PrimaryKeyConstraint("id", name="pk_inbox"),
        sa.UniqueConstraint("platform", "event_id", name="uq_inbox_platform_event_id"),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index(
        "inbox_waiting",
        "inbox",
        ["id"],
        sqlite_where=sa.text("done_at IS NULL"),
        postgresql_where=sa.text("done_at IS NULL"),
    )
    op.create_table(
        "mark",
        *integers("id", "pool_id"),
        *texts("subject"),
        sa.PrimaryKeyConstraint("id", name="pk_mark"),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_table("meta", *texts("key", "value"), sa.PrimaryKeyConstraint("key", name="pk_meta"), sqlite_strict=True)
    op.create_table(
        "person",
        *integers("id"),
        *texts("language"),
        *integers("pool_id", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_person"),
        sqlite_strict=True,
    )
    op.create_table(
        "account",
        *integers("id"),
        *texts("platform", "user_id", "handle", "name"),
        *integers("person_id", "wrong_codes"),
        *integers("wrong_since", nullable=True),
        reference("person_id", "person", "fk_account_person_id"),
        sa.PrimaryKeyConstraint("id", name="pk_account"),
        sa.UniqueConstraint("platform", "user_id", name="uq_account_platform_user_id"),
        sqlite_strict=True,
    )
    op.create_index("ix_account_person_id", "account", ["person_id"])
    op.create_table(
        "chat",
        *integers("id"),
        *texts("platform", "address", "topic", "title"),
        *integers("account_id", "pool_id", "project_id", "off_at", nullable=True),
        reference("account_id", "account", "fk_chat_account_id"),
        sa.PrimaryKeyConstraint("id", name="pk_chat"),
        sa.UniqueConstraint("platform", "address", "topic", name="uq_chat_platform_address_topic"),
        sqlite_strict=True,
    )
    op.create_index("chat_by_project", "chat", ["pool_id", "project_id"])
    op.create_index("ix_chat_account_id", "chat", ["account_id"])
    op.create_table(
        "press",
        *texts("key"),
        *integers("account_id", "at"),
        reference("account_id", "account", "fk_press_account_id"),
        sa.PrimaryKeyConstraint("key", name="pk_press"),
        sqlite_strict=True,
    )
    op.create_table(
        "card",
        *integers("id", "pool_id"),
        *texts("subject"),
        *integers("chat_id", "outbox_id", "mark_id"),
        *texts("shown"),
        *integers("marked_at", "drawn_at", nullable=True),
        reference("chat_id", "chat", "fk_card_chat_id"),
        sa.PrimaryKeyConstraint("id", name="pk_card"),
        sqlite_strict=True,
    )
    op.create_index("card_by_subject", "card", ["pool_id", "subject", "chat_id"])
    op.create_index(
        "card_marked",
        "card",
        ["marked_at"],
        sqlite_where=sa.text("marked_at IS NOT NULL"),
        postgresql_where=sa.text("marked_at IS NOT NULL"),
    )
    op.create_index(
        "card_unmarked",
        "card",
        ["pool_id", "subject"],
        sqlite_where=sa.text("marked_at IS NULL"),
        postgresql_where=sa.text("marked_at IS NULL"),
    )
    op.create_table(
        "delivery",
        *integers("id"),
        *texts("key", "platform"),
        *integers("chat_id", "priority"),
        *texts("payload", "state"),
        *integers("edits", nullable=True),
        *texts("ref", nullable=True),
        *integers("attempts", "sender", "created_at"),
        *integers("retry_at", "sent_at", nullable=True),
        *texts("fault"),
        reference("chat_id", "chat", "fk_delivery_chat_id"),
        sa.PrimaryKeyConstraint("id", name="pk_delivery"),
        sa.UniqueConstraint("key", name="uq_delivery_key"),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index("delivery_by_ref", "delivery", ["chat_id", "ref", "id"])
    op.create_index(
        "delivery_waiting",
        "delivery",
        ["platform", "priority", "id"],
        sqlite_where=sa.text("state = 'ready'"),
        postgresql_where=sa.text("state = 'ready'"),
    )
    op.create_table(
        "outbox",
        *integers("id"),
        *texts("key", "platform"),
        *integers("chat_id", "priority"),
        *texts("payload"),
        *integers("created_at"),
        *integers("not_before", "delivery_id", nullable=True),
        reference("chat_id", "chat", "fk_outbox_chat_id"),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sa.UniqueConstraint("key", name="uq_outbox_key"),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index("outbox_by_chat", "outbox", ["chat_id", "priority", "id"])
    op.create_index(
        "outbox_waiting",
        "outbox",
        ["platform", "priority", "id"],
        sqlite_where=sa.text("delivery_id IS NULL"),
        postgresql_where=sa.text("delivery_id IS NULL"),
    )


def integers(*names: str, nullable: bool = False) -> list[sa.Column[int]]:
    return [sa.Column(name, Integer64, nullable=nullable) for name in names]


def texts(*names: str, nullable: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=nullable) for name in names]


def reference(column: str, table: str, name: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{table}.id"], name=name, deferrable=True, initially="DEFERRED")


def pool_reference(column: str, table: str, name: str) -> sa.ForeignKeyConstraint:
    keys = [f"{table}.pool_id", f"{table}.id"]
    return sa.ForeignKeyConstraint(["pool_id", column], keys, name=name, deferrable=True, initially="DEFERRED")
