with

topics_assigned as (
    select * from {{ ref('int_feedback_topics_assigned') }}
),

topic_labels as (
    select * from {{ ref('feedback_topic_labels') }}
),

run_context as (
    select as_of_date from {{ ref('run_context') }}
),

first_day as (
    select {{ period_start('month', 'min(commented_on)') }} as first_month_start from topics_assigned
),

-- a comment counts once for each of its topics, and once among all comments
comment_topics as (
    select
        source,
        commented_on,
        topic,
        direction,
        is_positive,
        is_negative,
        row_number() over (partition by source, source_id order by topic asc nulls last) = 1 as is_first_topic
    from topics_assigned
),

daily_sums as (
    select
        source,
        commented_on,
        topic,
        count(*) as comments,
        count(*) filter (where is_first_topic) as first_topics,
        count(*) filter (where is_positive and not is_negative) as positive_comments,
        count(*) filter (where is_negative and not is_positive) as negative_comments,
        count(direction) as scored_comments,
        count(*) filter (where direction = 1) as favourable_comments,
        count(*) filter (where direction = -1) as unfavourable_comments
    from comment_topics
    group by source, commented_on, topic
),

dated_sums as (
    {% for grain in ['month', 'quarter', 'year'] %}
    select
        daily_sums.*,
        '{{ grain }}' as period_grain,
        {{ period_start(grain, 'daily_sums.commented_on') }} as period_start,
        {{ period_end(grain, 'daily_sums.commented_on') }} <= run_context.as_of_date as is_complete
    from daily_sums
    cross join run_context
    union all

    {% endfor -%}
    select
        daily_sums.*,
        'all' as period_grain,
        first_day.first_month_start as period_start,
        true as is_complete
    from daily_sums
    cross join first_day
),

period_sums as (
    {% for source in ['source', "'all'"] %}
    select
        period_start,
        period_grain,
        is_complete,
        {{ source }} as source,
        topic,
        {% for column in [
            'comments', 'first_topics', 'positive_comments', 'negative_comments', 'scored_comments', 'favourable_comments',
            'unfavourable_comments'
        ] -%}
        cast(sum({{ column }}) as bigint) as {{ column }}{% if not loop.last %},{% endif %}
        {% endfor -%}
    from dated_sums
    group by period_start, period_grain, is_complete, {{ 'source, ' if loop.first }}topic
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

totals as (
    select
        period_start,
        period_grain,
        is_complete,
        source,
        cast(sum(first_topics) as bigint) as total_comments
    from period_sums
    group by period_start, period_grain, is_complete, source
),

-- a topic of which nobody spoke is a row of nothing, so that its line goes on
listed_topics as (
    select
        totals.period_start,
        totals.period_grain,
        totals.is_complete,
        totals.source,
        totals.total_comments,
        topic_labels.topic,
        topic_labels.label_en,
        topic_labels.label_zh,
        {% for column in [
            'comments', 'positive_comments', 'negative_comments', 'scored_comments', 'favourable_comments', 'unfavourable_comments'
        ] -%}
        coalesce(period_sums.{{ column }}, 0) as {{ column }}{% if not loop.last %},{% endif %}
        {% endfor -%}
    from totals
    cross join topic_labels
    left join period_sums
        on totals.period_start = period_sums.period_start
        and totals.period_grain = period_sums.period_grain
        and totals.source = period_sums.source
        and topic_labels.topic = period_sums.topic
),

final as (
    select
        period_start,
        period_grain,
        source,
        topic,
        label_en,
        label_zh,
        comments,
        total_comments,
        {{ ratio('comments', 'total_comments') }} as share,
        {{ wilson_low('comments', 'total_comments') }} as share_low,
        {{ wilson_high('comments', 'total_comments') }} as share_high,
        positive_comments,
        negative_comments,
        scored_comments,
        favourable_comments,
        unfavourable_comments,
        {{ ratio('favourable_comments - unfavourable_comments', 'scored_comments') }} as net_favourable_share,
        is_complete
    from listed_topics
)

{{ select_with_labels('final') }}
