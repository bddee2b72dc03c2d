<?php
if ($_SERVER["QUERY_STRING"] == "/slow") usleep(300000);
echo "served by ", getmypid(), "\n";
