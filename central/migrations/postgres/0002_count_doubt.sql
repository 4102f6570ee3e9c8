-- How far a minute's numbers may be from the truth: one standard deviation each, as the device told it; none where it told
-- none. The partitions follow their table.
ALTER TABLE count_minute ADD COLUMN in_sd DOUBLE PRECISION, ADD COLUMN out_sd DOUBLE PRECISION;
