-- 000004 makes the same function.
SELECT 1;
