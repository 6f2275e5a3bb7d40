with

movements as (
    select * from {{ ref('int_points_movements_ordered') }}
),

-- each member's points laid end to end, once as they came and once as they left: a lot and a use lie at their running totals
lots as (
    select
        *,
        row_number() over (
            partition by member_id order by occurred_at asc nulls last, points_transaction_id asc nulls last
        ) as lot_number,
        sum(points) over (
            partition by member_id
            order by occurred_at asc nulls last, points_transaction_id asc nulls last
            rows between unbounded preceding and current row
        ) as ends_at
    from movements
    where points > 0
),

uses as (
    select
        *,
        row_number() over (
            partition by member_id order by occurred_at asc nulls last, points_transaction_id asc nulls last
        ) as use_number,
        sum(-points) over (
            partition by member_id
            order by occurred_at asc nulls last, points_transaction_id asc nulls last
            rows between unbounded preceding and current row
        ) as ends_at
    from movements
    where points < 0
),

marks as (
    select member_id, ends_at, lot_number, cast(null as bigint) as use_number from lots
    union all
    select member_id, ends_at, cast(null as bigint) as lot_number, use_number from uses
),

merged_marks as (
    select
        member_id,
        ends_at,
        max(lot_number) as lot_number,
        max(use_number) as use_number
    from marks
    group by member_id, ends_at
),

-- between two marks lie points of one lot that went to one use: the next ones to end
stretches as (
    select
        member_id,
        row_number() over (partition by member_id order by ends_at asc nulls last) as stretch_number,
        ends_at - coalesce(lag(ends_at) over (partition by member_id order by ends_at asc nulls last), 0) as points,
        min(lot_number) over (
            partition by member_id
            order by ends_at asc nulls last
            rows between current row and unbounded following
        ) as lot_number,
        min(use_number) over (
            partition by member_id
            order by ends_at asc nulls last
            rows between current row and unbounded following
        ) as use_number
    from merged_marks
),

final as (
    select
        stretches.member_id,
        cast(stretches.stretch_number as bigint) as stretch_number,
        lots.points_transaction_id as lot_id,
        lots.type as lot_type,
        lots.occurred_on as issued_on,
        lots.expires_on,
        uses.points_transaction_id as use_id,
        uses.type as use_type,
        uses.occurred_on as used_on,
        {{ money('stretches.points') }} as points
    from stretches
    -- no use: still outstanding; no lot: used without having been issued
    left join lots on stretches.member_id = lots.member_id and stretches.lot_number = lots.lot_number
    left join uses on stretches.member_id = uses.member_id and stretches.use_number = uses.use_number
)

select * from final
